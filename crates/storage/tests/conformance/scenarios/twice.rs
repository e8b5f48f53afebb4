//! All of it twice, with the same names: what the first time left is in nobody's way.

use crate::site::{Site, container, custom, none, snapshot, still, with};
use storage::VolumeSource;

pub(crate) async fn everything_twice_in_a_row(site: &Site) {
    let name = site.unused();
    for round in ["one", "two"] {
        let config = (site.driver.config)(&site.host, &name);
        let pool = site.create(site.driver, &name, &config).await.unwrap();
        for _ in 0..2 {
            let i = pool.image('a').await;
            let c1 = pool.launch("c1", &i).await;
            pool.write(&c1, "rootfs/f", round).await;
            pool.take(&c1, "s1").await;
            pool.write(&c1, "rootfs/f", "later").await;
            pool.take(&c1, "s2").await;
            pool.restore(&c1, &snapshot(&c1, "s1")).await;
            let c2 = container("c2");
            pool.make(&c2, with(&c1, &["s1", "s2"]), &none()).await.unwrap();
            pool.rename(&c1, &container("c3")).await.unwrap();
            pool.remove(&i).await;
            pool.remove(&container("c3")).await;
            let v = custom("v");
            pool.make(&v, VolumeSource::Empty, &none()).await.unwrap();
            pool.make(&snapshot(&v, "s"), still(&v), &none()).await.unwrap();
            let pool = pool.after_a_crash().await;
            assert_eq!(pool.read(&c2, "rootfs/f").await.as_deref(), Some(round));
            assert_eq!(pool.snapshot_names(&c2).await, ["s1", "s2"]);
            pool.remove(&c2).await;
            pool.remove(&v).await;
            pool.settle().await.unwrap();
            assert_eq!(pool.all().await, []);
        }
        pool.end().await;
        site.host.remove_made();
        assert_eq!(site.host.left(), Vec::<String>::new());
    }
}
