//! By codes that people carry, which hold addresses and keys and nothing else of a description.

use crate::support::{End, together};
use wigwag_discovery::code::Code;
use wigwag_rtc::{Description, Settings};

#[tokio::test]
async fn two_meet_by_an_offer_code_and_an_answer_code() {
    let (mut ann, mut bob) = (End::new(Settings::default()).await, End::new(Settings::default()).await);
    ann.connection.offer(false).await.unwrap();
    ann.until_gathered().await;
    let offer = Code::offer(&ann.connection.local_description().await.unwrap().unwrap().sdp).unwrap();
    assert!(offer.description().is_some(), "the code is long: {}", offer.as_str());

    let read = Code::read_offer(offer.as_str()).unwrap();
    bob.connection.describe(Description::offer(read.sdp())).await.unwrap();
    bob.until_gathered().await;
    let answer = Code::answer(&bob.connection.local_description().await.unwrap().unwrap().sdp, read.tag()).unwrap();
    assert!(answer.description().is_some(), "the code is long: {}", answer.as_str());

    let read = Code::read_answer(answer.as_str(), offer.tag()).unwrap();
    ann.connection.describe(Description::answer(read.sdp())).await.unwrap();
    together(&mut ann, &mut bob).await;
}
