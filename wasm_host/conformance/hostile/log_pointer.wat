;; outcome: abstain
;; Logs what is not there: negative, over the end, 4 GiB.
(module
  (import "terraphim" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call $log (i32.const -1) (i32.const -1) (i32.const 5))
    (call $log (i32.const 2) (i32.const 65530) (i32.const 100))
    (call $log (i32.const 2) (i32.const 0) (i32.const -1))
    (i64.const 0)))
