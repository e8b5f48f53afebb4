//! Several hosts: the client across the network, images and containers on other servers.

use testkit::{Lab, or_skip, run};

#[test]
fn hosts_of_a_lab_reach_each_other_unless_they_are_parted() {
    let lab = or_skip!(Lab::start(3));
    let ping = |from: usize, to: String| {
        let ping = ["-c", "1", "-W", "5", &to];
        run(lab[from].inside("ping").args(ping)).status.success()
    };
    if testkit::find_program("ping").is_none() {
        testkit::skip!("the program ping is not installed");
    }
    assert!(ping(1, lab.address(2)) && ping(1, lab.address6(2)));
    lab.part(1, 2, true);
    assert!(!ping(1, lab.address(2)) && ping(0, lab.address(2)));
    lab.part(1, 2, false);
    lab.plug(2, false);
    assert!(!ping(0, lab.address(2)) && ping(0, lab.address(1)));
    lab.plug(2, true);
    assert!(ping(2, lab.address(1)));
}
