;; outcome: abstain
;; Tries to write a second log line, and bytes that are no text.
(module
  (import "terraphim" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "one\0aforged\1b[31m\ff")
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call $log (i32.const 2) (i32.const 16) (i32.const 16))
    (i64.const 0)))
