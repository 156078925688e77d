//! Times: the reader's locale on the screen, ISO 8601 on hover.

use porthole_viewer::time::iso;
use wasm_bindgen::JsValue;

/// The date in the reader's own way of writing it; only for the page. A time that `Date` cannot hold is shown as ISO.
pub fn local_date(seconds: i64) -> String {
    thread_local! {
        /// Making a formatter is slow, and every row has a date.
        static FORMAT: js_sys::Function = {
            let options = js_sys::Object::new();
            for (key, value) in [("year", "numeric"), ("month", "2-digit"), ("day", "2-digit")] {
                let _ = js_sys::Reflect::set(&options, &JsValue::from_str(key), &JsValue::from_str(value));
            }
            js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &options).format()
        };
    }
    let Some(date) = date(seconds) else { return iso(seconds) };
    let text = FORMAT.with(|format| format.call1(&JsValue::UNDEFINED, &date));
    text.ok().and_then(|text| text.as_string()).unwrap_or_else(|| iso(seconds))
}

/// Date and time in the reader's own way of writing them; only for the page.
pub fn local_time(seconds: i64) -> String {
    date(seconds)
        .map_or_else(|| iso(seconds), |date| String::from(date.to_locale_string("default", &JsValue::UNDEFINED)))
}

/// Date and time of an RFC 3339 text in the reader's own way of writing them; the text itself if it is none. Only for the page.
pub fn local_time_of(text: &str) -> String {
    let date = js_sys::Date::new(&JsValue::from_str(text));
    if date.get_time().is_nan() {
        text.to_owned()
    } else {
        String::from(date.to_locale_string("default", &JsValue::UNDEFINED))
    }
}

/// ECMA-262: a time value reaches a hundred million days either way.
fn date(seconds: i64) -> Option<js_sys::Date> {
    const LIMIT: i64 = 8_640_000_000_000;
    #[expect(clippy::cast_precision_loss, reason = "within the limit, milliseconds are exact in a double")]
    let milliseconds = seconds as f64 * 1_000.0;
    (-LIMIT..=LIMIT).contains(&seconds).then(|| js_sys::Date::new(&JsValue::from_f64(milliseconds)))
}
