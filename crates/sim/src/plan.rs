//! What kind of world a seed makes.

use crate::dice::Dice;

/// The shape of one run. Every figure comes from the seed, so that runs differ in kind and not only in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many servers.
    pub(crate) nodes: usize,
    /// Whether they ask each other where peers are.
    pub(crate) linked: bool,
    /// How many clients in a thousand are native ones.
    pub(crate) native: u64,
    /// How often in a thousand acts a client and a server lose sight of each other for a while.
    pub(crate) partition: u64,
    /// How many namespaces, with the same ids and names of rooms in each.
    pub(crate) namespaces: usize,
    /// How many clients.
    pub(crate) clients: usize,
    /// How many ids they share among them: fewer than clients, so that some are devices of one id.
    pub(crate) ids: u64,
    /// Milliseconds of trouble, before everything is left to come to rest.
    pub(crate) trouble_ms: u64,
    /// Longest delay of a frame on its way.
    pub(crate) delay_ms: u64,
    /// Milliseconds between a client's acts, on average.
    pub(crate) act_ms: u64,
    /// How often in a thousand acts a client's socket is cut.
    pub(crate) cut: u64,
    /// How often in a thousand acts a client comes by another socket before it loses the one that it has.
    pub(crate) roam: u64,
    /// How often in a thousand acts a client stops reading for a while.
    pub(crate) stall: u64,
    /// How often in a thousand acts a server stops in order and starts again with its snapshot.
    pub(crate) restart: u64,
    /// How often in a thousand acts a server dies and begins with nothing but its store.
    pub(crate) crash: u64,
    /// How often in a thousand times something between servers is lost.
    pub(crate) drop: u64,
    /// How often in a thousand acts the wall clock jumps.
    pub(crate) jump: u64,
    /// How often in a thousand connections a client does not answer the challenge.
    pub(crate) mute: u64,
    /// How often in a thousand connections a client comes with a token or a count that is not its own.
    pub(crate) lie: u64,
    /// How often in a thousand connections a client goes to another server than the one that it was at.
    pub(crate) stray: u64,
    /// How often in a thousand acts the operator ends a session or closes a room.
    pub(crate) operator: u64,
    /// How often in a thousand acts a client asks for nonsense.
    pub(crate) nonsense: u64,
    /// How often in a thousand times the store fails.
    pub(crate) store_fails: u64,
    /// Longest time that the store takes.
    pub(crate) store_ms: u64,
    /// Whether sockets may send only so much, and addresses guess only so often.
    pub(crate) rated: bool,
    /// Whether there is room for few: rooms, members, topics, watches.
    pub(crate) tight: bool,
    /// Whether there is a TURN server whose credentials run out.
    pub(crate) turn: bool,
    /// Frames that may be held for one session.
    pub(crate) queue_frames: u64,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x91a_0000);
        let (nodes, linked) = *dice.one_of(&[(3, true), (2, false), (1, false), (1, false), (1, false)]);
        let calm = dice.permille(150);
        let often =
            |dice: &mut Dice, chance, most| if !calm && dice.permille(chance) { dice.between(1, most) } else { 0 };
        Self {
            nodes,
            linked,
            native: *dice.one_of(&[0, 300, 500, 1_000]),
            partition: often(&mut dice, 400, 10),
            namespaces: if dice.permille(400) { 2 } else { 1 },
            clients: dice.between(3, 9) as usize,
            ids: dice.between(2, 9),
            trouble_ms: dice.between(20_000, 80_000),
            delay_ms: dice.between(1, 400),
            act_ms: dice.between(150, 1_500),
            cut: often(&mut dice, 900, 120),
            roam: often(&mut dice, 300, 40),
            stall: often(&mut dice, 500, 30),
            restart: often(&mut dice, 500, 8),
            crash: if nodes == 1 { often(&mut dice, 300, 5) } else { 0 },
            drop: often(&mut dice, 500, 100),
            jump: often(&mut dice, 500, 4),
            mute: often(&mut dice, 300, 50),
            lie: often(&mut dice, 300, 100),
            stray: if nodes == 1 { 0 } else { dice.between(0, 400) },
            operator: often(&mut dice, 300, 10),
            nonsense: often(&mut dice, 300, 50),
            store_fails: often(&mut dice, 300, 200),
            store_ms: dice.between(0, 1_500),
            rated: dice.permille(150),
            tight: dice.permille(200),
            turn: dice.permille(200),
            queue_frames: dice.between(24, 64),
        }
    }
}
