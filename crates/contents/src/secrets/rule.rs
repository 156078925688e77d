//! The rules, each with its keywords.

use super::{TextOrigin, credentials, found::Found, keys, services, tokens};
use std::{fmt, ops::Range};

/// A kind of secret, and how it is found.
pub struct SecretRule {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it finds, in words.
    pub about: &'static str,
    /// Keywords, in any case, at which the rule is tried.
    pub(super) keys: &'static [&'static str],
    /// The secret at one of the keywords, if it is one.
    pub(super) find: fn(&[u8], Range<usize>, TextOrigin<'_>) -> Option<Found>,
}

impl fmt::Debug for SecretRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! rules {
    ($($name:literal, $about:literal, [$($key:literal),*], $find:path;)+) => {
        &[$(SecretRule { name: $name, about: $about, keys: &[$($key),*], find: $find }),+]
    };
}

/// The rule of that name.
pub(super) fn rule_named(name: &str) -> Option<&'static SecretRule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// What a rule finds in a text that is about whole files.
fn nothing(_: &[u8], _: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    None
}

/// All rules that are searched for.
pub const RULES: &[SecretRule] = rules![
    "private-key", "private key (PEM)", ["-----BEGIN "], keys::pem;
    "encoded-private-key", "private key (PEM), in base64 once more", ["LS0tLS1CRUdJTi"], keys::encoded_pem;
    "putty-private-key", "private key of PuTTY", ["PuTTY-User-Key-File-"], services::putty;
    "age-secret-key", "secret key of age", ["AGE-SECRET-KEY-1"], tokens::age;
    "wireguard-key", "private key of WireGuard", ["PrivateKey"], services::wireguard;
    "der-private-key", "private key (DER)", [], nothing;
    "pkcs12-private-key", "private key in a store of PKCS #12", [], nothing;
    "java-key-store", "private key in a key store of Java", [], nothing;
    "gcp-service-account", "key of a Google Cloud service account", ["\"service_account\""], keys::service_account;
    "kubeconfig-key", "client key of a kubeconfig", ["client-key-data"], keys::kubeconfig_key;
    "aws-access-key-id", "access key ID of AWS", ["AKIA", "ASIA"], tokens::aws_id;
    "aws-secret-access-key", "secret access key of AWS", ["secret_access_key", "secretaccesskey"], tokens::aws_secret;
    "gcp-api-key", "API key of Google", ["AIza"], tokens::gcp_api;
    "google-oauth-secret", "secret of an OAuth client of Google", ["GOCSPX-"], tokens::google_oauth;
    "azure-client-secret", "secret of an application of Entra ID", ["8Q~"], services::azure_client;
    "azure-sas", "shared access signature of Azure", ["&sig=", "?sig="], services::azure_sas;
    "azure-storage-key", "key of an Azure storage account", ["AccountKey="], tokens::azure;
    "github-token", "token of GitHub", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"], tokens::github;
    "gitlab-token", "token of GitLab", ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-", "glsoat-", "glft-", "glimt-", "glagent-", "GR1348941"], tokens::gitlab;
    "npm-token", "token of npm", ["npm_"], tokens::npm;
    "pypi-token", "token of PyPI", ["pypi-AgEIcHlwaS5vcmc"], tokens::pypi;
    "docker-hub-token", "token of Docker Hub", ["dckr_pat_", "dckr_oat_"], tokens::docker_hub;
    "slack-token", "token of Slack", ["xoxb-", "xoxp-", "xoxa-", "xoxe-", "xoxs-", "xapp-"], tokens::slack;
    "slack-webhook", "address of a Slack webhook", ["hooks.slack.com/services/"], tokens::slack_webhook;
    "discord-webhook", "address of a Discord webhook", ["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], services::discord_webhook;
    "telegram-token", "token of a bot of Telegram", [":AA"], services::telegram;
    "stripe-key", "live key of Stripe", ["sk_live_", "rk_live_", "whsec_"], tokens::stripe;
    "sendgrid-key", "API key of SendGrid", ["SG."], tokens::sendgrid;
    "digitalocean-token", "token of DigitalOcean", ["dop_v1_", "doo_v1_", "dor_v1_"], tokens::digitalocean;
    "vault-token", "token of HashiCorp Vault", ["hvs.", "hvb."], tokens::vault;
    "terraform-token", "token of HCP Terraform", [".atlasv1."], services::terraform;
    "new-relic-key", "user key of New Relic", ["NRAK-"], tokens::new_relic;
    "shopify-token", "token of Shopify", ["shpat_", "shpca_", "shppa_", "shpss_"], tokens::shopify;
    "square-token", "token of Square", ["sq0atp-", "sq0csp-"], tokens::square;
    "linear-key", "API key of Linear", ["lin_api_"], tokens::linear;
    "atlassian-token", "API token of Atlassian", ["ATATT3"], tokens::atlassian;
    "databricks-token", "token of Databricks", ["dapi"], tokens::databricks;
    "grafana-token", "token of Grafana", ["glsa_", "glc_eyJ"], tokens::grafana;
    "rubygems-key", "API key of RubyGems", ["rubygems_"], tokens::rubygems;
    "nuget-key", "API key of NuGet", ["oy2"], tokens::nuget;
    "sentry-token", "token of Sentry", ["sntryu_", "sntrys_eyJ"], tokens::sentry;
    "postman-key", "API key of Postman", ["PMAK-"], tokens::postman;
    "doppler-token", "token of Doppler", ["dp.pt."], tokens::doppler;
    "planetscale-token", "token of PlanetScale", ["pscale_tkn_", "pscale_pw_"], tokens::planetscale;
    "heroku-key", "API key of Heroku", ["HRKU-AA"], tokens::heroku;
    "anthropic-key", "API key of Anthropic", ["sk-ant-"], tokens::anthropic;
    "openai-key", "API key of OpenAI", ["T3BlbkFJ"], tokens::openai;
    "huggingface-token", "token of Hugging Face", ["hf_"], tokens::huggingface;
    "jwt", "JSON Web Token", ["eyJ"], tokens::jwt;
    "docker-auth", "credentials of a registry", ["\"auth\""], credentials::docker_auth;
    "registry-token", "token of a registry", ["\"identitytoken\"", "\"registrytoken\""], credentials::registry_token;
    "npmrc-auth", "credentials in .npmrc", ["_authToken", "_auth", "_password"], credentials::npmrc;
    "netrc-password", "password in .netrc", ["password"], credentials::netrc;
    "pypirc-password", "password in .pypirc", ["password"], credentials::pypirc;
    "pgpass-password", "password in .pgpass", [":5432:", ":*:"], services::pgpass;
    "setting-secret", "password in a file of settings", ["password", "passwd", "pwd", "secret", "token", "api_key", "apikey", "access_key", "private_key"], services::setting;
    "authorization-header", "credentials in a header of HTTP", ["authorization: basic ", "authorization: bearer "], services::header;
    "command-password", "password of a command", ["-u ", "--user ", "--password ", "--password="], services::command;
    "kubeconfig-token", "token of a kubeconfig", ["token:", "token\":"], credentials::kubeconfig_token;
    "kubeconfig-password", "password of a kubeconfig", ["password:", "password\":"], credentials::kubeconfig_password;
    "url-password", "password in a URL", ["://"], credentials::url;
    "password-hash", "hashed password in /etc/shadow", [":$"], credentials::shadow;
    "assigned-secret", "variable named as a secret", ["password", "passwd", "secret", "token", "api_key", "apikey", "access_key", "private_key"], credentials::assigned;
];
