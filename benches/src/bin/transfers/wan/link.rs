//! A link with delay, rate and loss between two network namespaces.
//!
//! Kernels without the `netem` discipline cannot slow a link, so this program does: it is a bridge between two virtual
//! interfaces. A frame waits its turn at the link's rate, is dropped at random or where the queue is full, and leaves after
//! the delay. Both directions have the same rate, delay and loss. TCP itself is the kernel's.

use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
        sockopt::RcvBufForce,
    },
};
use porthole_tests::Result;
use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// What a link is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Milliseconds of a round trip, half of them in each direction.
    pub(crate) round_trip: u64,
    /// Megabits per second.
    pub(crate) rate: u64,
    /// Frames lost of a thousand.
    pub(crate) lost: u64,
}

/// A frame of Ethernet without its checksum, as long as the interfaces allow.
const FRAME: usize = 1514;
/// Bytes of frames that the kernel holds for this program.
const HELD: usize = 32 << 20;

impl Shape {
    /// As arguments of the program that is the link.
    pub(crate) fn arguments(&self) -> [String; 3] {
        [self.round_trip, self.rate, self.lost].map(|number| number.to_string())
    }

    /// Time of a frame on the line.
    fn time_of(&self, bytes: usize) -> Duration {
        Duration::from_nanos(bytes as u64 * 8000 / self.rate.max(1))
    }

    /// A queue holds what comes in one round trip, and at least 20 ms of it.
    fn queue(&self) -> Duration {
        Duration::from_millis(self.round_trip.max(20))
    }
}

/// Runs the link: `near` and `far` are interfaces of this process's namespace.
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [near, far, round_trip, rate, lost] = arguments else {
        return Err("expected NEAR FAR MILLISECONDS MEGABITS PER-MILLE".into());
    };
    let shape = Shape { round_trip: round_trip.parse()?, rate: rate.parse()?, lost: lost.parse()? };
    let (near, far) = (Arc::new(open(near)?), Arc::new(open(far)?));
    let ways = [(Arc::clone(&near), Arc::clone(&far), 1), (far, near, 2)];
    let running = ways.map(|(from, to, seed)| thread::spawn(move || forward(&from, to, shape, seed)));
    println!("ready");
    for way in running {
        way.join().map_err(|_| "a direction of the link has failed")??;
    }
    Ok(())
}

/// A socket for every frame of an interface.
fn open(interface: &str) -> Result<OwnedFd> {
    let address = getifaddrs()?
        .filter(|found| found.interface_name == interface)
        .find_map(|found| found.address?.as_link_addr().copied())
        .ok_or_else(|| format!("no interface {interface}"))?;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    setsockopt(&socket, RcvBufForce, &HELD)?;
    bind(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

fn forward(from: &OwnedFd, to: Arc<OwnedFd>, shape: Shape, seed: u64) -> Result<()> {
    let (sender, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (at, frame) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            // An interface that is gone is the end of the link, which its owner knows.
            send(to.as_raw_fd(), &frame, MsgFlags::empty()).ok();
        }
    });
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (mut free, mut buffer) = (Instant::now(), vec![0; 1 << 16]);
    loop {
        let length = recv(from.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let frame = &mut buffer[..length];
        if length > FRAME {
            return Err(format!("expected frames of at most {FRAME} bytes, got {length}: segments are merged").into());
        }
        let now = Instant::now();
        // xorshift64
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let lost = dice % 1000 < shape.lost;
        free = free.max(now);
        if free - now > shape.queue() || lost && is_tcp(frame) {
            continue;
        }
        free += shape.time_of(length);
        complete_checksum(frame);
        if sender.send((free + Duration::from_millis(shape.round_trip) / 2, frame.to_vec())).is_err() {
            return Ok(());
        }
    }
}

/// Whether this is TCP over IPv4.
fn is_tcp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&6)
}

/// The kernel leaves the checksum of TCP to the network card, which a virtual one never computes.
fn complete_checksum(frame: &mut [u8]) {
    if !is_tcp(frame) {
        return;
    }
    let header = usize::from(frame[14] & 15) * 4;
    let end = 14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let place = 14 + header + 16;
    if end > frame.len() || place + 2 > end {
        return;
    }
    frame[place..place + 2].fill(0);
    let segment = &frame[14 + header..end];
    let sum = 6 + segment.len() as u64 + sum_of(&frame[26..34]) + sum_of(segment);
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    let checksum = !(folded as u16);
    frame[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn sum_of(bytes: &[u8]) -> u64 {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let odd = odd.first().map_or(0, |&byte| u64::from(byte) << 8);
    odd + pairs.iter().map(|&pair| u64::from(u16::from_be_bytes(pair))).sum::<u64>()
}
