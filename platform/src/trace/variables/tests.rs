//! What is asked for by which variables, and the sentences of refusal.

use super::*;

fn read(set: &[(&str, &str)]) -> Result<Option<Export>, ConfigError> {
    Export::of(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

#[track_caller]
fn export(set: &[(&str, &str)]) -> Export {
    read(set).unwrap().expect("it is wanted")
}

/// What is refused, with its sentence.
#[track_caller]
fn refused(set: &[(&str, &str)]) -> String {
    let all: Vec<_> = [(ENDPOINT, "http://collector:4318")].iter().chain(set).rev().copied().collect();
    read(&all).unwrap_err().to_string()
}

#[test]
fn nothing_is_exported_unless_it_is_asked_for() {
    for set in [
        &[][..],
        &[(SERVICE_NAME, "x"), (SAMPLER, "always_on")],
        &[(ENDPOINT, ""), (EXPORTER, " ")],
        &[(EXPORTER, "none"), (ENDPOINT, "http://collector:4318")],
        &[(EXPORTER, "None"), (TRACES_ENDPOINT, "http://collector:4318")],
        &[(DISABLED, "true"), (EXPORTER, "otlp")],
        &[(DISABLED, "TRUE"), (ENDPOINT, "http://collector:4318")],
        // What is off is not looked at more closely.
        &[(DISABLED, "true"), (ENDPOINT, "nonsense"), (PROTOCOL[1], "grpc")],
    ] {
        assert_eq!(read(set), Ok(None), "{set:?}");
    }
}

#[test]
fn an_exporter_or_an_endpoint_asks_for_it() {
    let defaults = export(&[(EXPORTER, "otlp")]);
    let expected = Export {
        endpoint: "http://localhost:4318/v1/traces".parse().unwrap(),
        timeout: Duration::from_secs(10),
        authorities: None,
        sampler: Sampler { by_parent: true, share: 1.0 },
        service: None,
    };
    assert_eq!(defaults, expected);
    assert_eq!(export(&[(ENDPOINT, "http://localhost:4318")]), expected);
    assert_eq!(export(&[(DISABLED, "false"), (EXPORTER, "OTLP"), (SERVICE_NAME, "x")]).service.as_deref(), Some("x"));
}

#[test]
fn the_usual_path_is_added_to_the_common_endpoint_only() {
    for (name, text, expected) in [
        (ENDPOINT, "http://c:4318", "http://c:4318/v1/traces"),
        (ENDPOINT, "http://c:4318/", "http://c:4318/v1/traces"),
        (ENDPOINT, "https://c/otlp", "https://c/otlp/v1/traces"),
        (ENDPOINT, "https://c/otlp/?key=1", "https://c/otlp/v1/traces?key=1"),
        (TRACES_ENDPOINT, "http://c:4318", "http://c:4318/"),
        (TRACES_ENDPOINT, "https://c/spans?key=1", "https://c/spans?key=1"),
    ] {
        assert_eq!(export(&[(name, text)]).endpoint.as_str(), expected, "{name}={text}");
    }
    let both = export(&[(ENDPOINT, "http://common"), (TRACES_ENDPOINT, "http://traces/x")]);
    assert_eq!(both.endpoint.as_str(), "http://traces/x");
}

#[test]
fn what_holds_for_traces_alone_comes_first() {
    let set = [
        (EXPORTER, "otlp"),
        (PROTOCOL[0], "http/protobuf"),
        (PROTOCOL[1], "grpc"),
        (TIMEOUT[0], "250"),
        (TIMEOUT[1], "7000"),
        (CERTIFICATE[0], "/traces.pem"),
        (CERTIFICATE[1], "/common.pem"),
    ];
    let both = export(&set);
    assert_eq!((both.timeout, both.authorities), (Duration::from_millis(250), Some((CERTIFICATE[0], "/traces.pem".into()))));
    let common = export(&[(EXPORTER, "otlp"), (TIMEOUT[1], "7000"), (CERTIFICATE[1], "/common.pem")]);
    assert_eq!((common.timeout, common.authorities), (Duration::from_secs(7), Some((CERTIFICATE[1], "/common.pem".into()))));
}

#[test]
fn samplers() {
    for (sampler, argument, by_parent, share) in [
        ("always_on", "", false, 1.0),
        ("always_off", "0.3", false, 0.0),
        ("traceidratio", "0.25", false, 0.25),
        ("traceidratio", "", false, 1.0),
        ("parentbased_always_on", "", true, 1.0),
        ("parentbased_always_off", "", true, 0.0),
        ("ParentBased_TraceIdRatio", "0", true, 0.0),
    ] {
        let set = [(EXPORTER, "otlp"), (SAMPLER, sampler), (SAMPLER_ARGUMENT, argument)];
        assert_eq!(export(&set).sampler, Sampler { by_parent, share }, "{sampler} {argument}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_by_its_name() {
    const RATIO: (&str, &str) = (SAMPLER, "traceidratio");
    for (set, name) in [
        (&[(EXPORTER, "zipkin")][..], EXPORTER),
        (&[(EXPORTER, "otlp,console")], EXPORTER),
        (&[(PROTOCOL[0], "grpc")], PROTOCOL[0]),
        (&[(PROTOCOL[1], "http/json")], PROTOCOL[1]),
        (&[(COMPRESSION[1], "gzip")], COMPRESSION[1]),
        (&[(ENDPOINT, "collector:4318")], ENDPOINT),
        (&[(ENDPOINT, "localhost")], ENDPOINT),
        (&[(TRACES_ENDPOINT, "ftp://collector")], TRACES_ENDPOINT),
        (&[(TIMEOUT[0], "10s")], TIMEOUT[0]),
        (&[(TIMEOUT[1], "0")], TIMEOUT[1]),
        (&[(SAMPLER, "xray")], SAMPLER),
        (&[(SAMPLER, "parentbased_jaeger_remote")], SAMPLER),
        (&[RATIO, (SAMPLER_ARGUMENT, "1.5")], SAMPLER_ARGUMENT),
        (&[RATIO, (SAMPLER_ARGUMENT, "NaN")], SAMPLER_ARGUMENT),
        (&[RATIO, (SAMPLER_ARGUMENT, "half")], SAMPLER_ARGUMENT),
    ] {
        let sentence = refused(set);
        assert!(sentence.starts_with(&format!("`{name}`: ")), "{set:?}: {sentence}");
    }
    let sentence = refused(&[(TRACES_ENDPOINT, "ftp://user:secret@collector?key=secret")]);
    assert!(!sentence.contains("secret"), "{sentence}");
}
