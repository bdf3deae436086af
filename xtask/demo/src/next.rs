//! What a person can do once the demo has played: what to type, and what arrives of it.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::engine::ADDRESS;
use crate::receiver::Taken;
use crate::stage::Stage;

/// What to type next, in another terminal; `example` is an event that is worth a look.
pub(crate) fn steps(stage: &Stage, example: &str) -> String {
    let (config, key) = (stage.config(), stage.operator_key_file());
    let (weft, config, key) = (stage.relative(&stage.weft), stage.relative(&config), stage.relative(&key));
    format!(
        r#"
The engine and the receivers go on until Ctrl-C. In another terminal, in the project's root:

  export WEFT_CONFIG={config}     # says where the engine and the operator's key are
  alias weft={weft}

  weft events show {example}        # an order of two lines: each step, delivery and attempt
  weft events send --tenant shop examples/quickstart/events/order.paid.json
  weft plugin rollback stamp                             # the next event meets the old one again
  weft dead-letters list --tenant shop                   # none are left
  weft check

Without the command line:

  curl http://{ADDRESS}/v1/events -H "authorization: Bearer $(cat {key})" \
       -H "weft-tenant: shop" -H "content-type: application/json" \
       -d '{{"type":"order.paid","data":{{"region":"us","total":12}}}}'

Your own plugin in five minutes: README.md. What the receivers take from here on:
"#
    )
}

/// Prints what the receivers take from here on, for as long as they are there.
pub(crate) async fn tell(mut takings: UnboundedReceiver<Taken>) {
    // What the demo itself has sent is counted above.
    while takings.try_recv().is_ok() {}
    while let Some(Taken { place, webhook_id, event_type, body_bytes }) = takings.recv().await {
        println!("  {place} took {webhook_id}, {event_type}, {body_bytes} bytes");
    }
}
