//! What a request means, as a value that vectors can hold.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use wigwag_wire::Request;
use wigwag_wire::request::RoomOptions;

/// Every field of a request but `n`. Content is the text that is passed on; what is not there is left out.
pub(crate) fn reads(request: &Request<'_>) -> Value {
    let mut value = match request {
        Request::Hello(r) => json!({
            "version": r.version, "namespace": r.namespace, "key": r.key, "id": r.id, "device": r.device,
            "signature": r.signature, "capabilities": r.capabilities,
            "resume": r.resume.as_ref().map(|r| json!({"token": r.token, "seen": r.seen})),
        }),
        Request::Find(r) => json!({"id": r.id}),
        Request::Watch(r) | Request::Unwatch(r) => json!({"ids": r.ids}),
        Request::Signal(r) => {
            json!({"to": r.to, "device": r.device, "kind": r.kind, "data": r.data.get(), "store": r.store})
        }
        Request::Bye(_) | Request::Ice(_) => json!({}),
        Request::Name(r) => json!({"op": r.op.as_str(), "key": r.key, "signature": r.signature}),
        Request::Seen(r) => json!({"seen": r.seen}),
        Request::RoomCreate(r) => {
            with_options(&r.options, json!({"room": r.room, "code": r.code, "me": r.me.map(RawValue::get)}))
        }
        Request::RoomJoin(r) => json!({
            "room": r.room, "code": r.code, "password": r.password, "create": r.create, "me": r.me.map(RawValue::get),
        }),
        Request::RoomLeave(r) | Request::RoomCode(r) | Request::RoomBeat(r) => json!({"room": r.room}),
        Request::RoomList(r) => json!({"after": r.after, "limit": r.limit}),
        Request::RoomSet(r) => with_options(&r.options, json!({"room": r.room, "term": r.term})),
        Request::RoomKick(r) | Request::RoomBan(r) | Request::RoomUnban(r) | Request::RoomTransfer(r) => {
            json!({"room": r.room, "term": r.term, "id": r.id, "device": r.device, "reason": r.reason})
        }
        Request::RoomState(r) => json!({"room": r.room, "term": r.term, "state": r.state.get()}),
        Request::RoomMe(r) => json!({"room": r.room, "me": r.me.get()}),
        Request::Relay(r) => json!({"to": r.to, "device": r.device, "data": r.data.get()}),
        Request::Say(r) => json!({"room": r.room, "to": r.to, "data": r.data.get()}),
        Request::Subscribe(r) | Request::Unsubscribe(r) => json!({"topics": r.topics}),
        Request::Publish(r) => json!({"topic": r.topic, "data": r.data.get()}),
        Request::Broadcast(r) => json!({"data": r.data.get()}),
        Request::NetworkJoin(r) => json!({"network": r.network, "me": r.me.map(RawValue::get)}),
        Request::NetworkLeave(r) | Request::Beat(r) => json!({"network": r.network}),
        Request::Role(r) => json!({"network": r.network, "id": r.id, "roles": r.roles}),
        Request::SwarmAnnounce(r) => json!({"swarm": r.swarm, "want": r.want, "complete": r.complete}),
        Request::SwarmLeave(r) | Request::SwarmCount(r) => json!({"swarm": r.swarm}),
    };
    value.as_object_mut().into_iter().for_each(|fields| fields.retain(|_, value| !value.is_null()));
    value
}

fn with_options(options: &RoomOptions<'_>, mut value: Value) -> Value {
    let mut all = json!({
        "capacity": options.capacity, "listed": options.listed, "locked": options.locked, "mode": options.mode,
        "password": options.password, "meta": options.meta.map(RawValue::get), "linger": options.linger,
        "idle": options.idle,
    });
    value.as_object_mut().into_iter().for_each(|fields| fields.append(all.as_object_mut().unwrap_or(&mut Map::new())));
    value
}
