;; outcome: fuel
;; Spends the host's time instead of its own.
(module
  (import "terraphim" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (call $log (i32.const 9) (i32.const 0) (i32.const 65536))
      (br $again))
    (i64.const 0)))
