//! The language, and that no text makes it fail in other ways than by an error.

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn context() -> Context {
    Context {
        trigger: "create".into(),
        path: "/etc/hostname".into(),
        container: map(&[
            ("name", "web"),
            ("architecture", "x86_64"),
            ("ephemeral", "false"),
            ("privileged", "true"),
        ]),
        config: map(&[("user.user-data", "#cloud-config\r\n\n"), ("user.x", "1"), ("user.html", "<b>\"'&")]),
        devices: BTreeMap::from([("eth0".to_owned(), map(&[("type", "nic"), ("name", "eth0")]))]),
        properties: map(&[("default", "nothing"), ("list", "a,b,c")]),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        assert_eq!(render(template, &context()).as_deref(), Ok(*expected), "{template}");
    }
}

#[test]
fn names_and_what_hangs_on_them() {
    check(&[
        ("", ""),
        ("plain { text } % #", "plain { text } % #"),
        ("{{ container.name }}\n", "web\n"),
        ("{{ instance.name }}{{ instance.ephemeral }}", "webfalse"),
        ("{{container.name}}{{trigger}}{{ path }}", "webcreate/etc/hostname"),
        ("[{{ missing }}{{ container.missing }}{{ missing.a.b }}]", "[]"),
        ("{{ devices.eth0.type }}", "nic"),
        ("{{ config[\"user.x\"] }}{{ config['user.x'] }}", "11"),
        ("{{ \"a\\\"b\" }}{{ 'c' }}{{ 5 }}{{ 1.5 }}{{ true }}", "a\"bc51.500000True"),
        ("{{ container.name.0 }}{{ container.name.9 }}", "w"),
        ("a{# comment {{ x }} #}b", "ab"),
        ("a {%- if true -%} b {%- endif -%} c", "abc"),
        ("{{ \"}}\" }}", "}}"),
    ]);
}

#[test]
fn config_get_is_the_only_function() {
    check(&[
        ("{{ config_get(\"user.user-data\", \"x\") }}", "#cloud-config"),
        ("{{ config_get(\"user.none\", properties.default) }}", "nothing"),
        ("{{ config_get('user.none', '') }}", ""),
        ("{% set config = 1 %}{{ config_get('user.x', '') }}", "1"),
        ("{{ config_get('user.x', '')|default:'y' }}", "1"),
    ]);
    let fails = |template: &str| render(template, &context()).unwrap_err();
    assert!(matches!(fails("{{ container() }}"), TemplateError::NotAFunction { .. }));
    assert!(matches!(fails("{{ config_get('a') }}"), TemplateError::Argument { .. }));
}

#[test]
fn conditions() {
    check(&[
        ("{% if container.privileged == \"true\" %}p{% else %}u{% endif %}", "p"),
        ("{% if missing %}a{% elif trigger == \"create\" %}b{% else %}c{% endif %}", "b"),
        ("{% if missing %}a{% elif missing %}b{% else %}c{% endif %}", "c"),
        ("{% if not missing && !missing and true %}y{% endif %}", "y"),
        ("{% if missing or trigger %}y{% endif %}{% if missing || \"\" %}n{% endif %}", "y"),
        ("{% if 1 < 2 and 2 <= 2 and 3 > 2 and 3 >= 3 and 1 != 2 and 1 <> 2 %}y{% endif %}", "y"),
        ("{% if \"eth0\" in devices %}y{% endif %}{% if \"we\" in container.name %}y{% endif %}", "yy"),
        ("{% if not (1 == 1) %}n{% else %}y{% endif %}", "y"),
        ("{% if 1 == \"1\" %}n{% else %}y{% endif %}", "y"),
        ("{% if 10 > 9 and \"10\" > \"9\" %}y{% endif %}", "y"),
        ("{% ifequal trigger \"create\" %}y{% else %}n{% endifequal %}", "y"),
        ("{% ifnotequal trigger \"create\" %}y{% else %}n{% endifnotequal %}", "n"),
        ("{% if true or missing and missing %}y{% endif %}", "y"),
    ]);
}

#[test]
fn loops_and_names_made_on_the_way() {
    check(&[
        ("{% for c in \"abc\" %}{{ c }}{{ forloop.Counter }},{% endfor %}", "a1,b2,c3,"),
        ("{% for c in \"abc\" reversed %}{{ c }}{% if not forloop.last %}-{% endif %}{% endfor %}", "c-b-a"),
        ("{% for c in \"cab\" sorted %}{{ c }}{{ forloop.counter0 }}{% endfor %}", "a0b1c2"),
        ("{% for k, v in devices.eth0 %}{{ k }}={{ v }};{% endfor %}", "name=eth0;type=nic;"),
        ("{% for k in devices %}{{ k }}{% endfor %}", "eth0"),
        ("{% for x in missing %}a{% empty %}none{% endfor %}", "none"),
        ("{% for x in properties.list|split:\",\" %}[{{ x }}]{% endfor %}", "[a][b][c]"),
        (
            "{% for a in \"ab\" %}{% for b in \"xy\" %}{{ forloop.Parentloop.Counter }}{{ b }}{% endfor %}{% endfor %}",
            "1x1y2x2y",
        ),
        ("{% set a = 1 + 2 * 3 %}{{ a }}", "7"),
        ("{% with a=1 b=\"x\" %}{{ a }}{{ b }}{% endwith %}[{{ a }}]", "1x[]"),
        ("{{ (1 + 2) * 3 }},{{ 7 / 2 }},{{ 7 % 4 }},{{ -3 }},{{ 1 / 0 }}", "9,3,3,-3,"),
        ("{{ \"a\" + \"b\" }}", "ab"),
    ]);
}

#[test]
fn filters_as_documented() {
    check(&[
        ("{{ missing|default:\"d\" }}{{ trigger|default:\"d\" }}", "dcreate"),
        ("{{ missing|default:trigger|upper }}", "CREATE"),
        ("{{ \"  AbC \"|trim|lower }}", "abc"),
        ("{{ properties.list|split:\",\"|join:\"+\" }}", "a+b+c"),
        ("{{ container.name|length }}{{ devices|length }}{{ missing|length }}", "310"),
        ("{{ container.name|first }}{{ container.name|last }}", "wb"),
        ("{{ \"abcdef\"|slice:\"1:3\" }}{{ \"abc\"|slice:\"-2:\" }}{{ \"abc\"|slice:\"2:1\" }}", "bcbc"),
        ("{{ \"a b\"|title }}{{ \"ab\"|capfirst }}{{ \"a-b\"|cut:\"-\" }}", "A BAbab"),
        ("{{ 1|add:2 }}{{ \"a\"|add:1 }}{{ \"12\"|integer|add:1 }}", "3a113"),
        ("{{ missing|yesno }}{{ true|yesno:\"on,off\" }}{{ false|yesno:\"on,off\" }}", "maybeonoff"),
        ("{{ \"a\"|rjust:3 }}|{{ \"a\"|ljust:3 }}|{{ \"a\"|center:3 }}|", "  a|a  | a |"),
        ("{{ \"abcdef\"|truncatechars:5 }}{{ 4|divisibleby:2 }}", "ab...True"),
        ("{{ \"a b/c\"|urlencode }}", "a%20b%2Fc"),
    ]);
    let error = render("{{ a|frobnicate }}", &context()).unwrap_err();
    assert_eq!(error, TemplateError::UnknownFilter { name: "frobnicate".into() });
}

#[test]
fn nothing_escapes_unless_asked_to() {
    let html = "{{ config_get(\"user.html\", \"\") }}";
    check(&[
        (html, "<b>\"'&"),
        (&format!("{{% autoescape on %}}{html}{{% endautoescape %}}"), "&lt;b&gt;&quot;&#39;&amp;"),
        (&format!("{{% autoescape off %}}{html}{{% endautoescape %}}"), "<b>\"'&"),
        (
            "{% autoescape on %}{{ \"<\"|safe }}{{ \"<\"|escape }}{% endautoescape %}{{ \"<\"|e }}",
            "<&lt;&lt;",
        ),
    ]);
}

#[test]
fn comments_and_verbatim_text() {
    check(&[
        ("a{% comment %}{{ x }}{% if %}{% endcomment %}b", "ab"),
        ("{% verbatim %}{{ x }}{% if %}{% endverbatim %}c", "{{ x }}{% if %}c"),
    ]);
}

#[test]
fn mistakes_name_their_line() {
    let cases = [
        ("a\nb {{ x", 2),
        ("{% if x %}", 1),
        ("\n{% endif %}", 2),
        ("{% nonsense %}", 1),
        ("\n\n{{ }}", 3),
        ("{{ a b }}", 1),
        ("{{ a| }}", 1),
        ("{{ 'a }}", 1),
        ("{{ ~ }}", 1),
        ("{% for x of y %}{% endfor %}", 1),
        ("{{ 99999999999999999999 }}", 1),
    ];
    for (template, expected) in cases {
        match render(template, &context()) {
            Err(TemplateError::Syntax { line, .. }) => assert_eq!(line, expected, "{template}"),
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn nothing_reads_files() {
    for tag in ["include", "extends", "import", "ssi", "block"] {
        let error = render(&format!("{{% {tag} \"/etc/shadow\" %}}"), &context()).unwrap_err();
        assert_eq!(error, TemplateError::Forbidden { line: 1, tag: tag.into() });
    }
}

#[test]
fn everything_is_bounded() {
    let fails = |template: &str| render(template, &context()).unwrap_err();
    let deep = "{% if true %}".repeat(10_000) + &"{% endif %}".repeat(10_000);
    assert_eq!(fails(&deep), TemplateError::TooDeep);
    for open in ["(", "-", "a[", "config_get("] {
        assert_eq!(fails(&format!("{{{{ {} }}}}", open.repeat(10_000))), TemplateError::TooDeep);
    }
    assert_eq!(fails(&format!("{{{{ a{} }}}}", "+a".repeat(10_000))), TemplateError::TooDeep);
    assert_eq!(fails(&format!("{{{{ a{} }}}}", ".a".repeat(10_000))), TemplateError::TooDeep);
    assert_eq!(fails(&format!("{{{{ a{} }}}}", "|upper".repeat(10_000))), TemplateError::TooDeep);
    let odd = format!("{{% if {}missing %}}y{{% endif %}}", "!".repeat(10_001));
    assert_eq!(render(&odd, &context()).as_deref(), Ok("y"));
}

#[test]
fn loops_and_growing_texts_end() {
    let fails = |template: &str| render(template, &context()).unwrap_err();
    assert_eq!(fails("{{ 'a'|ljust:999999999 }}"), TemplateError::TooLong);
    let thousand = "{% set s = \"\"|ljust:1000 %}";
    let nested = format!(
        "{thousand}{{% for a in s %}}{{% for b in s %}}{{% for c in s %}}x{{% endfor %}}{{% endfor %}}{{% endfor %}}"
    );
    assert_eq!(fails(&nested), TemplateError::TooManySteps);
    let doubling = format!("{{% set s = \"ab\" %}}{}", "{% set s = s|add:s %}".repeat(60));
    assert_eq!(fails(&doubling), TemplateError::TooLong);
    let joining = format!("{{% set s = \"\"|ljust:99999 %}}{}", "{% set s = s|join:s %}".repeat(3));
    assert_eq!(fails(&joining), TemplateError::TooLong);
}

proptest::proptest! {
    #[test]
    fn any_text_is_rendered_or_refused(template: String) {
        let _ = render(&template, &context());
    }

    #[test]
    fn any_mixture_of_its_parts_is_rendered_or_refused(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "{{", "}}", "{%", "%}", "{#", "#}", " ", "if", "else", "elif", "endif", "for", "in", "endfor", "a",
            "container", ".", "name", "|", ":", "default", "join", "(", ")", "[", "]", "\"", "'", "x", "1", "0",
            "==", "not", "and", "-", "set", "=", "with", "endwith", "config_get", ",", "\n", "slice", "é", "verbatim",
            "endverbatim", "comment", "endcomment", "autoescape", "on", "endautoescape", "\\",
        ]), 0..40)
    ) {
        let _ = render(&parts.concat(), &context());
    }
}
