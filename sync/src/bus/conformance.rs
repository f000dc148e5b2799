//! What every transport of the bus must do; run on all of them.

use std::time::{Duration, Instant};

use super::{Bus, Delivery, Group, Subscription};

/// A hint that did not come by then is lost.
const LIMIT: Duration = Duration::from_secs(30);
/// When nothing came for so long, nothing is on its way.
const SILENCE: Duration = Duration::from_millis(300);

/// Runs all; `grow` makes a log grow, by a commit.
pub fn conform(bus: &dyn Bus, grow: &mut dyn FnMut()) {
    grow();
    every_group_hears(bus, grow);
    a_new_consumer_hears_what_comes(bus, grow);
    what_was_acknowledged_is_over(bus, grow);
}

fn every_group_hears(bus: &dyn Bus, grow: &mut dyn FnMut()) {
    let groups = [Group::INDEX, Group::NOTIFY];
    let mut consumers = groups.map(|group| subscribe(bus, group));
    grow();
    for own in &mut consumers {
        let delivery = expect(own.as_mut());
        own.acknowledge(&[delivery.receipt]);
    }
}

fn a_new_consumer_hears_what_comes(bus: &dyn Bus, grow: &mut dyn FnMut()) {
    drop(bus.subscribe(Group::INDEX).expect("a subscription"));
    grow();
    let mut own = bus.subscribe(Group::INDEX).expect("a subscription");
    let delivery = expect(own.as_mut());
    own.acknowledge(&[delivery.receipt]);
    drain(own.as_mut());
    grow();
    expect(own.as_mut());
}

fn what_was_acknowledged_is_over(bus: &dyn Bus, grow: &mut dyn FnMut()) {
    let mut own = subscribe(bus, Group::INDEX);
    grow();
    let delivery = expect(own.as_mut());
    own.acknowledge(&[delivery.receipt, delivery.receipt]);
    drain(own.as_mut());
    assert_eq!(own.next(SILENCE), None, "nothing has happened since");
}

/// A new consumer, who is told at once that anything may have happened.
fn subscribe(bus: &dyn Bus, group: Group) -> Box<dyn Subscription> {
    let mut own = bus.subscribe(group).expect("a subscription");
    let delivery = expect(own.as_mut());
    own.acknowledge(&[delivery.receipt]);
    drain(own.as_mut());
    own
}

/// The next hint, which must come.
pub fn expect(subscription: &mut dyn Subscription) -> Delivery {
    let began = Instant::now();
    let delivery = subscription.next(LIMIT);
    delivery.unwrap_or_else(|| panic!("no hint within {:?}", began.elapsed()))
}

/// Acknowledges all that is on its way.
pub fn drain(subscription: &mut dyn Subscription) {
    while let Some(delivery) = subscription.next(SILENCE) {
        subscription.acknowledge(&[delivery.receipt]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::kv::Store;
    use storage::kv::memory::MemoryStore;

    use super::super::EmbeddedBus;

    #[test]
    fn the_embedded_transport_conforms() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let bus = EmbeddedBus::new(store.clone());
        super::conform(&bus, &mut || {
            let grown = store.transact(&mut |txn| {
                txn.append(b"log", vec![1].into());
                Ok(())
            });
            grown.expect("a commit");
        });
    }
}
