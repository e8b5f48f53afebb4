//! Somebody else who listens in the daemon's namespaces.

use super::needs;
use std::process::Command;
use testkit::{TestDaemon, Unavailable, eventually, run};

/// Until it goes.
pub(super) struct Listening {
    child: std::process::Child,
    stop: Command,
}

impl Listening {
    pub(super) fn at(d: &TestDaemon, host: &str, port: u16) -> Result<Self, Unavailable> {
        needs("openssl")?;
        let pid = d.scratch().join("other");
        let script = "openssl s_server -quiet -accept $1:$2 -cert $3.crt -key $3.key & \
                      until grep -qi \"$(printf :%04X $2)\" /proc/net/tcp; do sleep 0.1; done; \
                      echo $! > $4; wait";
        let mut command = d.inside("sh");
        command.args(["-c", script, "sh", host, &port.to_string()]).arg(d.lxd_dir().join("server")).arg(&pid);
        let child = command.spawn().map_err(|e| Unavailable(format!("sh: {e}")))?;
        let pid = eventually("the other program listens", || {
            std::fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n'))
        });
        let mut stop = d.inside("kill");
        stop.arg(pid.trim());
        Ok(Self { child, stop })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = run(&mut self.stop);
        let _ = self.child.wait();
    }
}
