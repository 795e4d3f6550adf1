//! What readers of EDN must hold.

use super::super::value::NESTING;
use super::super::{History, OperationId, Value, read};
use super::*;

fn history(text: &str) -> History {
    read("h", text.as_bytes()).unwrap()
}

fn error_of(text: &str) -> String {
    read("h", text.as_bytes()).unwrap_err().to_string()
}

fn value_of(text: &str) -> Result<Value, String> {
    Forms::new(text).value_or_keyword().map(|(value, _)| value).map_err(|problem| problem.sentence)
}

fn text(text: &str) -> Value {
    Value::text(text)
}

#[test]
fn vectors_lists_and_bare_maps_hold_the_same_history() {
    let maps = "{:process 0, :type :invoke, :f :read, :value nil}\n; a comment\n\
                #jepsen.history.Op{:process 0 :type :ok :f :read :value 3 :other #{1}} #_ {:discarded true}\n\
                {:process :nemesis, :type :info, :f :kill, :value {:nodes [\"n1\"]}},,";
    for whole in [maps.to_owned(), format!("[{maps}]"), format!("\n; first\n({maps} #_#_ 1 2) ; last")] {
        let history = history(&whole);
        assert_eq!((history.len(), history.event_count()), (1, 3), "{whole}");
        assert_eq!(history.operation(OperationId(0)).result(), &Value::Int(3));
        assert_eq!(history.nemesis()[0].process, "nemesis");
    }
}

#[test]
fn values_become_those_that_json_would_give() {
    assert_eq!(value_of(":a/b"), Ok(text("a/b")));
    assert_eq!(value_of("sym"), Ok(text("sym")));
    assert_eq!(value_of(r#""a\n\"b""#), Ok(text("a\n\"b")));
    assert_eq!(value_of("\\a"), Ok(text("a")));
    assert_eq!(value_of("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
    assert_eq!(value_of("1.50"), Ok(Value::Decimal("1.5".into())));
    assert_eq!(value_of("1/2"), Ok(text("1/2")));
    assert_eq!(value_of("(1 nil)"), Ok(Value::pair(Value::Int(1), Value::Nil)));
    assert_eq!(value_of("#inst \"2016\""), Ok(text("2016")));
    assert_eq!(
        value_of("{:b 1, 0 2}"),
        Ok(Value::Map([(Value::Int(0), Value::Int(2)), (text("b"), Value::Int(1))].into()))
    );
    assert_eq!(value_of("#{2 1}"), Ok(Value::Map([1, 2].map(|n| (Value::Int(n), Value::Int(n))).into())));
}

#[test]
fn keys_stand_in_their_own_field_or_in_a_tagged_tuple() {
    let history = history(
        "{:process 0, :type :invoke, :f :get, :key \"k\", :value [1 nil]}
         {:process 1, :type :invoke, :f :get, :value #jepsen.independent/tuple [7 nil]}
         {:process 2, :type :invoke, :f :get, :value #clojure.lang.MapEntry [7 [1 2]]}
         {:process 3, :type :invoke, :f :cas, :value [1 2]}",
    );
    let keys: Vec<_> = history.operations().map(|operation| operation.key().cloned()).collect();
    assert_eq!(keys, [Some(text("k")), Some(Value::Int(7)), Some(Value::Int(7)), None]);
    assert_eq!(history.operation(OperationId(1)).argument(), &Value::Nil);
}

#[test]
fn a_read_of_a_key_and_nil_makes_all_pairs_of_the_history_keys_and_values() {
    let history = history(
        "{:process 0, :type :invoke, :f :write, :value [7 3]}
         {:process 1, :type :invoke, :f :read, :value [7 nil]}
         {:process 1, :type :ok, :f :read, :value [7 3]}
         {:process 0, :type :info, :f :write, :value :timeout}
         {:process 1, :type :invoke, :f :cas, :value [8 [3 4]]}
         {:process :nemesis, :type :info, :f :cut, :value [1 2]}",
    );
    let seen: Vec<_> = history
        .operations()
        .map(|operation| format!("{} {} {}", operation.key().unwrap(), operation.argument(), operation.result()))
        .collect();
    assert_eq!(seen, ["7 3 timeout", "7 nil 3", "8 [3 4] nil"]);
    assert_eq!(history.nemesis()[0].value.to_string(), "[1 2]");
}

#[test]
fn a_read_of_nil_leaves_all_pairs_whole() {
    let history = history(
        "{:process 0, :type :invoke, :f :cas, :value [1 2]}
         {:process 1, :type :invoke, :f :read, :value nil}
         {:process 1, :type :ok, :f :read, :value [1 nil]}",
    );
    assert!(history.operations().all(|operation| operation.key().is_none()));
}

#[test]
fn where_clients_do_what_is_not_done_to_objects_that_are_read_pairs_stay_whole() {
    let read = "{:process 1, :type :invoke, :f :read, :value [0 nil]}";
    for other in [
        "{:process 0, :type :invoke, :f :transfer, :value [0 1]}",
        "{:process 0, :type :invoke, :f :write, :key 7, :value [0 1]}",
    ] {
        for text in [format!("{read}\n{other}"), format!("{other}\n{read}")] {
            let history = history(&text);
            assert!(history.operations().all(|operation| operation.argument().as_pair().is_some()), "{text}");
        }
    }
}

#[test]
fn what_is_added_is_a_key_and_an_element_where_reads_name_a_key() {
    let added = "{:process 0, :type :invoke, :f :add, :value [7 5]}";
    let pairs = |read: &str| {
        let history = history(&format!("{added}\n{{:process 1, :type :invoke, :f :read, :value {read}}}"));
        let add = history.operation(OperationId(0));
        (add.key().cloned(), add.argument().to_string())
    };
    assert_eq!(pairs("[7 nil]"), (Some(Value::Int(7)), "5".to_owned()));
    assert_eq!(pairs("nil"), (None, "[7 5]".to_owned()));
    let answered = "[7 nil]}\n{:process 1, :type :ok, :f :read, :value [1 2 3]";
    assert_eq!(pairs(answered), (None, "[7 5]".to_owned()));
}

#[test]
fn reads_with_and_without_keys_in_one_history_are_refused() {
    let plain = "{:process 0, :type :invoke, :f :read, :value nil}";
    let keyed = "{:process 1, :type :invoke, :f :read, :value [7 nil]}";
    for text in [format!("{plain}\n {keyed}"), format!("{keyed}\n {plain}")] {
        assert!(error_of(&text).starts_with("h:2:2: found a read with a key where others have none"));
    }
    assert_eq!(
        error_of(&format!("{keyed}\n{{:process 1, :type :ok, :f :read, :value 3}}")),
        "h:2:1: found a read of a number in a history of independent keys: expected `[key value]`"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (edn, error) in [
        ("{:type :invoke :f :x}\n{:type :invoke :f :x}", "h:2:1: found no process: expected an event with process"),
        ("[{:process 0 :f :x}]", "h:1:2: found no :type: expected a map with :process, :type and :f"),
        ("[\n {:process 0 :type :ok}]", "h:2:2: found no :f"),
        ("[[:x]]", "h:1:2: found a vector: expected a map with :process, :type and :f"),
        ("{:process -1}", "h:1:11: found `-1` as :process: expected a whole number from 0 to 4294967295, or a name"),
        ("{:process \"0\"}", "h:1:11: found `\"0\"` as :process"),
        ("{:process [0]}", "h:1:11: found a vector as :process"),
        ("{:type :begin}", "h:1:8: found `:begin` as :type: expected :invoke, :ok, :fail or :info"),
        ("{:time 1.5}", "h:1:8: found 1.5 as :time: expected a whole number from 0"),
        ("{:index -2}", "h:1:9: found -2 as :index: expected a whole number from 0"),
        ("{:f [nil]}", "h:1:5: found a vector as :f: expected a keyword"),
        ("{:process 0,\n :f}", "h:2:4: found a key without a value in a map"),
        ("{:process 0,\n :process 1}", "h:2:2: found :process twice in an event: expected it once"),
        ("{:value {:a 1,\n :b 2 :a 3}}", "h:2:7: found the key a twice in a map: expected it once"),
        ("{:value #{1 2\n 1}}", "h:2:2: found the element 1 twice in a set: expected it once"),
        (
            "[{:value 12345678901234567890}",
            "h:1:10: found the number 12345678901234567890: expected one that fits into",
        ),
        ("[{:value 1x2}", "h:1:10: found `1x2`: expected a number"),
        ("[{:value \"\\q\"}", "h:1:11: found an unknown escape in a string"),
        ("[{:value \\spac}", "h:1:10: found the unknown character `\\spac`: expected one as `\\a`"),
        ("[{:value @x}", "h:1:10: found `@`: expected a form of EDN"),
        ("[{:value :}", "h:1:10: found a colon alone: expected a keyword"),
        ("[{:value ##inf}", "h:1:10: found `##` without a number behind it"),
        ("[{:value #:a 1}", "h:1:10: found `#:` without a name and a map behind it"),
        ("[{:value #\"x\"}", "h:1:10: found `#` without a tag behind it"),
        ("[{:value #tag}", "h:1:14: found a closing bracket: expected a form of EDN"),
        ("[{:value ^{:a 1}}", "h:1:17: found a closing bracket: expected a form of EDN"),
        ("[{:other {:a}}", "h:1:13: found a key without a value in a map"),
        ("[{:other [}]", "h:1:11: found `}`, which closes nothing here: expected `]`"),
        ("[{:other [\"\\q\"]}", "h:1:12: found an unknown escape in a string"),
        ("[{:value #jepsen.independent/tuple 3}", "h:1:10: found a number as an independent tuple"),
        ("[{:process 0", "h:1:13: found the end of the text inside a map: expected `}`"),
        ("[{:process 0 :f \"x", "h:1:19: found the end of the text inside a string"),
        ("\n[{:process 0 :type :invoke :f :x}", "h:2:34: found the end of the text: expected `]` after the last event"),
        ("[{:process 0 :type :invoke :f :x}] {}", "h:1:36: found a map after the end of the history"),
        ("({:process 0 :type :invoke :f :x}]", "h:1:34: found `]`, which closes nothing here: expected `)`"),
        ("{:process 0 :type :invoke :f :x} #_", "h:1:36: found the end of the text: expected a form of EDN"),
        ("{:process 0 :type :ok :f :x}", "h:1:1: process 0 completes x, but has nothing open"),
    ] {
        assert!(error_of(edn).starts_with(error), "{edn} gave {}", error_of(edn));
    }
}

#[test]
fn all_that_clojure_writes_is_read() {
    for (edn, value) in [
        ("##Inf", "##Inf"),
        ("\\newline", "\"\\n\""),
        ("#inst \"2020-01-01\"", "2020-01-01"),
        ("#uuid \"a\"", "a"),
        ("^{:line 1} ^:x [1 ^int 2 #_ 3]", "[1 2]"),
        ("#:foo{:a 1, :_/b 2, :bar/c 3, 4 5, d 6}", "{4 5, b 2, bar/c 3, foo/a 1, foo/d 6}"),
        ("[+ - -a a/b .5x]", "[+ - -a a/b .5x]"),
        ("[12N 0x1F 16rFF 1/2]", "[12 31 255 1/2]"),
        ("[999999999999999999 9223372036854775807]", "[999999999999999999 9223372036854775807]"),
        ("#my.Record[1 2]", "[1 2]"),
        ("[a;comment\rb]", "[a b]"),
        ("\"\\u00e9\\101\"", "éA"),
    ] {
        assert_eq!(value_of(edn).map(|value| value.to_string()), Ok(value.to_owned()), "{edn}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_never_an_overflow() {
    let nested = |open: &str, depth: usize, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    assert!(value_of(&nested("[", NESTING, "]")).is_ok());
    for deep in [
        nested("[", NESTING + 1, "]"),
        nested("(", 1_000_000, ")"),
        nested("{:a ", 1_000_000, "}"),
        nested("#t ", 1_000_000, ""),
        nested("#t\u{2003}", 1_000_000, ""),
        nested("#_ ", 1_000_000, " 1"),
        "[".repeat(1_000_000),
    ] {
        assert!(value_of(&deep).unwrap_err().contains("nested more than 100 deep"), "{}", &deep[..20]);
    }
    assert!(value_of(&nested("#{", 50, "}")).unwrap_err().contains("more than 4 deep"));
    assert!(value_of(&nested("{{", 20, " 1} 1}")).unwrap_err().contains("more than 4 deep"));
}

#[test]
fn brackets_in_strings_characters_and_comments_do_not_nest() {
    let many = "\"[[\\\"[\" \\[ \\( ; [[[ \"\n #t [] a [] #_ {} ".repeat(1000);
    assert_eq!(value_of(&format!("[{many}]")).map(|value| value.kind()), Ok("a list"));
}
