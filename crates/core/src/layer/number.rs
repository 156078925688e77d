use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Serialize, Serializer};

/// The number of a layer, as people and programs see it: 1 is the bottom.
///
/// Inside this project layers are indexed from 0. The only conversions are [`of_index`](Self::of_index) and
/// [`index`](Self::index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerNumber(NonZeroU32);

impl LayerNumber {
    /// The number of the layer at this index, counted from 0.
    pub const fn of_index(index: u32) -> Self {
        // The branch is never taken: no saturated sum is 0.
        match NonZeroU32::new(index.saturating_add(1)) {
            Some(number) => Self(number),
            None => Self(NonZeroU32::MAX),
        }
    }

    /// The index of the layer, counted from 0.
    pub const fn index(self) -> u32 {
        self.0.get() - 1
    }

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for LayerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for LayerNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.get())
    }
}

impl FromStr for LayerNumber {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber::Digits);
        }
        // No image has as many layers as `u32::MAX`, so a larger number may saturate.
        let number = text.parse().unwrap_or(u32::MAX);
        NonZeroU32::new(number).map(Self).ok_or(NotANumber::Zero)
    }
}

/// Why text is not the number of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// It is not made of digits.
    #[error("expected the number of a layer")]
    Digits,
    /// It is 0.
    #[error("expected the number of a layer, got 0: layers are numbered from 1, the bottom")]
    Zero,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_one() {
        assert_eq!(LayerNumber::of_index(0).to_string(), "1");
        assert_eq!(LayerNumber::of_index(6).get(), 7);
        assert_eq!(serde_json::to_string(&LayerNumber::of_index(0)).unwrap(), "1");
        for index in [0, 1, 126, u32::MAX - 1] {
            assert_eq!(LayerNumber::of_index(index).index(), index);
        }
        assert_eq!("7".parse(), Ok(LayerNumber::of_index(6)));
        assert_eq!("0".parse::<LayerNumber>(), Err(NotANumber::Zero));
        assert_eq!("00".parse::<LayerNumber>(), Err(NotANumber::Zero));
        for text in ["", "-1", "+1", "1.", "sha256:ab"] {
            assert_eq!(text.parse::<LayerNumber>(), Err(NotANumber::Digits), "{text}");
        }
        assert_eq!("99999999999".parse::<LayerNumber>().unwrap().get(), u32::MAX);
    }
}
