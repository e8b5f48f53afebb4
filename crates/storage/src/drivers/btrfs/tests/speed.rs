//! How long things take, beside the bare program.

use super::*;
use std::time::{Duration, Instant};

const TIMES: usize = 25;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The figures are printed: `LIGHTERVISOR_MEASURE=1 cargo test -p storage btrfs::tests::speed -- --nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn changes_take_little_longer_than_the_program() {
    if std::env::var_os("LIGHTERVISOR_MEASURE").is_none() {
        eprintln!(
            "SKIP changes_take_little_longer_than_the_program: it measures, which LIGHTERVISOR_MEASURE=1 asks for"
        );
        return;
    }
    let Some(host) = Host::new("changes_take_little_longer_than_the_program") else { return };
    let pool = host.pool("p").await;
    let image = image(&pool).await;
    pool.make(&c("c0"), of(&image), &none()).await.unwrap();
    for number in 0..2000 {
        write(&pool, &c("c0"), &format!("rootfs/f{number}"), "x");
    }
    let (mut bare, mut copies, mut snapshots, mut restores, mut deletes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 0..TIMES {
        let change = |text: &str| write(&pool, &c("c0"), "rootfs/f0", text);
        change("bare");
        let start = Instant::now();
        let to = pool.path().join(format!("bare{number}"));
        run(
            "btrfs",
            &["subvolume".as_ref(), "snapshot".as_ref(), pool.volume_path(&c("c0")).as_ref(), to.as_ref()],
        );
        bare.push(start.elapsed());
        change("copy");
        let start = Instant::now();
        let copy = c(&format!("c{}", number + 1));
        pool.make(&copy, of(&c("c0")), &none()).await.unwrap();
        copies.push(start.elapsed());
        change("snapshot");
        let start = Instant::now();
        let snap = snapshot(&pool, &c("c0"), &format!("s{number}")).await;
        snapshots.push(start.elapsed());
        let start = Instant::now();
        let staged = pool.stage(&copy, of(&snap), &none()).await.unwrap();
        pool.commit_staged(&copy, staged).await.unwrap();
        restores.push(start.elapsed());
        let start = Instant::now();
        pool.delete_volume(&copy).await.unwrap();
        deletes.push(start.elapsed());
    }
    let bare = median(bare);
    eprintln!("btrfs subvolume snapshot: {bare:?}");
    for (what, times) in
        [("copy", copies), ("snapshot", snapshots), ("restore", restores), ("delete", deletes)]
    {
        let time = median(times);
        eprintln!("{what}: {time:?}");
        assert!(
            time <= bare.mul_f32(1.5) + Duration::from_millis(15),
            "{what} takes {time:?}, the program {bare:?}"
        );
    }
}
