//! Connections and packets that are passed on between the host and the container.

use super::Running;
use crate::Error;
use crate::forwarder::ForwardError;
use model::devices::{Device, Proxy, ProxyAddress, ProxySide};
use model::runtime::forward::{Endpoint, Forward, ranges};
use model::{DeviceName, IdMap};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long a name may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(10);

/// What a proxy wants that this version cannot do.
pub(crate) fn unsupported(proxy: &Proxy) -> Option<&'static str> {
    proxy.nat.then_some("forwarding by the firewall (nat=true)")
}

/// All that a container forwards.
pub(crate) async fn forwards(
    devices: &BTreeMap<DeviceName, Device>,
    idmap: Option<&IdMap>,
) -> Result<Vec<Forward>, Error> {
    let mut forwards = Vec::new();
    for (name, device) in devices {
        if let Device::Proxy(proxy) = device {
            forwards.push(forward(name, proxy, idmap).await?);
        }
    }
    Ok(forwards)
}

/// A device as the forwarder understands it: with addresses and with ids of the host.
async fn forward(name: &DeviceName, proxy: &Proxy, idmap: Option<&IdMap>) -> Result<Forward, Error> {
    let device = name.to_string();
    let from_inside = proxy.bind == ProxySide::Container;
    let of_the_container = |ids: (u32, u32)| of_the_host(&device, ids, idmap);
    // Sockets belong to the side on which they listen, callers to that on which they call.
    let owner = if from_inside { of_the_container(proxy.owner)? } else { proxy.owner };
    let identity = match proxy.identity {
        Some(ids) if !from_inside => Some(of_the_container(ids)?),
        other => other,
    };
    Ok(Forward {
        from_inside,
        listen: endpoint(&device, &proxy.listen).await?,
        connect: endpoint(&device, &proxy.connect).await?,
        owner,
        mode: proxy.mode,
        root: of_the_container((0, 0))?,
        identity,
        proxy_protocol: proxy.proxy_protocol,
        device,
    })
}

fn of_the_host(device: &str, (uid, gid): (u32, u32), idmap: Option<&IdMap>) -> Result<(u32, u32), Error> {
    let Some(idmap) = idmap else { return Ok((uid, gid)) };
    let missing = |id| Error::Forward(ForwardError::NoSuchId { device: device.to_owned(), id });
    Ok((idmap.host_uid(uid).ok_or_else(|| missing(uid))?, idmap.host_gid(gid).ok_or_else(|| missing(gid))?))
}

async fn endpoint(device: &str, address: &ProxyAddress) -> Result<Endpoint, Error> {
    Ok(match address {
        ProxyAddress::Tcp(host, ports) => Endpoint::Tcp(resolve(device, host).await?, ranges(ports)),
        ProxyAddress::Udp(host, ports) => Endpoint::Udp(resolve(device, host).await?, ranges(ports)),
        ProxyAddress::Unix(path) => Endpoint::Unix(path.clone()),
        ProxyAddress::Abstract(name) => Endpoint::Abstract(name.clone()),
    })
}

async fn resolve(device: &str, host: &str) -> Result<IpAddr, Error> {
    if let Ok(ip) = host.parse() {
        return Ok(ip);
    }
    let looked_up = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, 0))).await;
    let first = looked_up.ok().and_then(Result::ok).and_then(|mut found| found.next());
    let missing =
        || Error::Forward(ForwardError::Resolve { device: device.to_owned(), host: host.to_owned() });
    Ok(first.ok_or_else(missing)?.ip())
}

/// Begins to forward.
pub(crate) async fn plug(running: &mut Running<'_>, name: &DeviceName, proxy: &Proxy) -> Result<(), Error> {
    let forward = forward(name, proxy, running.live.idmap.as_ref()).await?;
    Ok(running.context.forwarder.add(running.name, &running.live, forward).await?)
}

/// Ends what is forwarded.
pub(crate) async fn unplug(running: &mut Running<'_>, name: &DeviceName, _: &Proxy) -> Result<(), Error> {
    Ok(running.context.forwarder.remove(running.name, name.as_str()).await?)
}
