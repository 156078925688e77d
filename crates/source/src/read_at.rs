use std::{
    future::Future,
    io::{ErrorKind, Result},
    rc::Rc,
    sync::Arc,
};

/// Bytes of known size that are read at any offset.
///
/// Implemented here for bytes in memory. The crate that opens files implements it for those, and the page for files that a
/// person drops on it. A read has no cursor, so several may run at once.
pub trait ReadAt {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Reads up to `buffer.len()` bytes from `offset` on and returns how many; 0 is the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> impl Future<Output = Result<usize>>;

    /// Fills `buffer` from `offset` on; [`ErrorKind::UnexpectedEof`] if there are fewer bytes.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> impl Future<Output = Result<()>> {
        async move {
            let mut filled = 0;
            while filled < buffer.len() {
                match self.read_at(offset + filled as u64, &mut buffer[filled..]).await {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let length = buffer.len().min(self.len() - start);
        buffer[..length].copy_from_slice(&self[start..start + length]);
        Ok(length)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.as_slice().read_at(offset, buffer).await
    }
}

macro_rules! through_a_pointer {
    ($($pointer:ty),*) => {$(
        impl<T: ReadAt + ?Sized> ReadAt for $pointer {
            fn size(&self) -> u64 {
                (**self).size()
            }

            async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
                (**self).read_at(offset, buffer).await
            }
        }
    )*};
}

through_a_pointer!(&T, Arc<T>, Rc<T>, Box<T>);

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn now<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("memory does not wait"),
        }
    }

    /// Returns one byte at a time, and is interrupted before each.
    struct Slow(Vec<u8>, Cell<bool>);

    impl ReadAt for Slow {
        fn size(&self) -> u64 {
            self.0.size()
        }

        async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
            if self.1.replace(!self.1.get()) {
                return Err(ErrorKind::Interrupted.into());
            }
            self.0.read_at(offset, &mut buffer[..1]).await
        }
    }

    #[test]
    fn reads_end_where_the_bytes_end() {
        let bytes = b"0123456789".to_vec();
        for (offset, length, expected) in [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (u64::MAX, 4, ""), (3, 0, "")] {
            let mut buffer = vec![0; length];
            let read = now(Arc::new(&bytes).read_at(offset, &mut buffer)).unwrap();
            assert_eq!(&buffer[..read], expected.as_bytes(), "{offset}");
        }
    }

    #[test]
    fn a_buffer_is_filled_over_short_reads() {
        let slow = Slow(b"0123456789".to_vec(), Cell::new(true));
        let mut buffer = [0; 4];
        now(slow.read_exact_at(5, &mut buffer)).unwrap();
        assert_eq!(&buffer, b"5678");
        assert_eq!(now(slow.read_exact_at(8, &mut buffer)).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
