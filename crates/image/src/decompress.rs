//! A stream of plain bytes out of a compressed file, whatever compressed it.
//!
//! Memory is bounded: a file that wants a larger dictionary than the highest preset of its program
//! has is refused.

use crate::format::Format;
use liblzma::stream::{MtStreamBuilder, Stream};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Enough for `xz -9`, which wants 65 MiB.
const XZ_MEMORY: u64 = 128 * 1024 * 1024;
/// Above this many bytes the xz decoder uses fewer threads.
const XZ_THREADED_MEMORY: u64 = 256 * 1024 * 1024;
/// `zstd --ultra -22` and `--long` use windows of 2^27 bytes.
const ZSTD_WINDOW_LOG: u32 = 27;
const READ_BUFFER: usize = 256 * 1024;

/// Opens a file and gives its uncompressed bytes. A squashfs has no such stream.
pub(crate) fn open(path: &Path, format: Format) -> io::Result<Box<dyn Read + Send>> {
    let input = BufReader::with_capacity(READ_BUFFER, File::open(path)?);
    Ok(match format {
        Format::Tar => Box::new(input),
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Format::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Format::Xz => Box::new(Xz::new(input)?),
        Format::Lzma => {
            let stream = Stream::new_lzma_decoder(XZ_MEMORY)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        Format::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        // Blocks of this format have at most 4 MiB.
        Format::Lz4 => Box::new(Lz4(lz4_flex::frame::FrameDecoder::new(input))),
        Format::Squashfs => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a squashfs is not a stream"));
        }
    })
}

/// Decodes a file of one or more xz streams on several threads. The threaded decoder of liblzma
/// ends with the first stream, so the next ones are started here.
struct Xz<R> {
    decoder: Option<liblzma::bufread::XzDecoder<R>>,
}

impl<R: BufRead> Xz<R> {
    fn new(input: R) -> io::Result<Self> {
        Ok(Self { decoder: Some(xz_stream(input)?) })
    }
}

fn xz_stream<R: BufRead>(input: R) -> io::Result<liblzma::bufread::XzDecoder<R>> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let stream = MtStreamBuilder::new()
        .threads(u32::try_from(threads).unwrap_or(1))
        .memlimit_threading(XZ_THREADED_MEMORY)
        .memlimit_stop(XZ_MEMORY)
        .decoder()?;
    Ok(liblzma::bufread::XzDecoder::new_stream(input, stream))
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            // The end of a stream. Padding between streams is zeros (xz file format, 2.2).
            let Some(mut input) = self.decoder.take().map(liblzma::bufread::XzDecoder::into_inner) else {
                return Ok(0);
            };
            if !skip_zeros(&mut input)? {
                return Ok(0);
            }
            self.decoder = Some(xz_stream(input)?);
        }
    }
}

/// Decodes a file of one or more lz4 frames; the decoder says that it has read nothing between two.
struct Lz4(lz4_flex::frame::FrameDecoder<BufReader<File>>);

impl Read for Lz4 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
    }
}

/// Skips zero bytes. False at the end of the input.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        match buffer.iter().position(|byte| *byte != 0) {
            Some(count) => {
                input.consume(count);
                return Ok(true);
            }
            None => {
                let count = buffer.len();
                input.consume(count);
            }
        }
    }
}
