//! An exchange as a line for a shell.

use super::RecordedExchange;
use porthole_core::shell::quote;

impl RecordedExchange {
    /// Returns a `curl` line that sends the same request. Secrets are not in it: where the request had some, the line
    /// says `***`.
    pub fn curl(&self) -> String {
        let mut line = String::from("curl");
        match self.method.as_str() {
            "GET" => {}
            "HEAD" => line.push_str(" --head"),
            method => line.push_str(&format!(" --request {}", quote(method))),
        }
        for (name, value) in &self.fields {
            // curl sets these fields by itself.
            if !matches!(name.as_str(), "accept-encoding" | "content-length" | "user-agent" | "host") {
                line.push_str(&format!(" --header {}", quote(&format!("{name}: {value}"))));
            }
        }
        line + " " + &quote(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use crate::{trace::RecordedExchange, transport::Request};
    use std::time::Duration;

    #[test]
    fn a_line_has_no_secret_and_no_second_command() {
        let request: Request = http::Request::get("https://r.example/v2/a/manifests/1?ns=x&key=canary")
            .header("accept", "application/json, it's")
            .header("authorization", "Bearer canary")
            .body(Default::default())
            .unwrap();
        let exchange = RecordedExchange::of_request("r.example", "manifest", "a:1", &request, Duration::ZERO);
        assert_eq!(
            exchange.curl(),
            r"curl --header 'accept: application/json, it'\''s' --header 'authorization: ***' 'https://r.example/v2/a/manifests/1?ns=x&key=***'"
        );
    }
}
