//! What a person can do once the demo has played: what to type, and what arrives of it.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::engine::ADDRESS;
use crate::receiver::Taken;
use crate::stage::Stage;

/// What to type next, in another terminal; `example` is an event that is worth a look.
pub(crate) fn steps(stage: &Stage, example: &str) -> String {
    let key_file = stage.operator_key_file();
    let (weft, key) = (stage.relative(&stage.weft), stage.relative(&key_file));
    format!(
        r#"
The engine and the receivers go on until Ctrl-C. In another terminal, in this folder:

  export WEFT_KEY=$(cat {key})        # the operator's
  alias weft={weft}

  weft events show {example}        # everything that happened to the first event that met the second stamp
  weft plugin list
  weft plugin rollback stamp
  weft dead-letters list --tenant shop

  curl http://{ADDRESS}/v1/events -H "authorization: Bearer $WEFT_KEY" -H "weft-tenant: shop" \
       -H "content-type: application/json" -d '{{"type":"order.paid","data":{{"region":"us","total":12}}}}'

What the receivers take is shown here."#
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
