import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import plugin
from weft_plugin import Context, Drop, Event


class Filter(unittest.TestCase):
    def test_a_small_order_is_dropped(self):
        answer = plugin.filter(Event.sample({"total": 20}), Context({"min_total": 100}))
        self.assertIsInstance(answer, Drop)


if __name__ == "__main__":
    unittest.main()
