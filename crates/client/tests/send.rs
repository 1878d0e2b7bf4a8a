//! What a multi-threaded runtime asks of a library: futures and handles that move between threads. It holds if this compiles.
#![allow(clippy::unwrap_used)]

use wigwag::{
    AnswerCode, Builder, Codes, Connection, Event, Events, FilePins, Incoming, JoinOptions, Knock, OfferCode, Room,
    RoomEvents, Wigwag,
};

#[test]
fn handles_move_between_threads_and_are_shared() {
    fn moves<T: Send + 'static>() {}
    fn shared<T: Send + Sync + 'static>() {}
    moves::<(Builder, Events, RoomEvents, Incoming, Knock, OfferCode, AnswerCode, Event, FilePins)>();
    shared::<(Wigwag, Connection, Room, Codes)>();
}

#[test]
fn futures_and_streams_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    // Nothing of this is run.
    let _ = |client: &Wigwag, connection: &Connection, room: &Room, codes: &Codes, builder: Builder| {
        moves(builder.open());
        moves((client.find("id"), client.incoming(), client.join("room"), client.create(None, JoinOptions::default())));
        moves((client.join_by_code("code", JoinOptions::default()), client.signal("id", "kind", &1), client.close()));
        moves((client.subscribe(&["topic"]), client.publish("topic", &1), client.broadcast(&1), client.watch(&["id"])));
        moves(client.connect("id").into_future());
        moves(client.search("id").connect());
        moves(client.search("id").find());
        moves((client.offer_code(), client.answer_code("code"), codes.offer(), codes.answer("code")));
        moves((connection.send("text"), connection.recv(), connection.channel("label"), connection.accept_channel()));
        moves((connection.stats(), connection.closed(), connection.close(), connection.path_changed(None)));
        moves((room.say(&1), room.leave(), connection.messages(), connection.main().flushed()));
        moves(client.events().into_stream());
        moves(room.events().into_stream());
    };
    let _ = |mut incoming: Incoming, knock: Knock, mut offer: OfferCode, answer: AnswerCode| {
        moves(incoming.next());
        moves(incoming.into_stream());
        moves(knock.accept());
        moves(offer.complete("code"));
        moves(answer.opened());
    };
}
