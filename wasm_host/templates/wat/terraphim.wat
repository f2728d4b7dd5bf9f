
;; What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: $decide in rule.wat.
;;
;; One instance serves one request, so both buffers are static: bytes 0 to 1023 are the rule's own, the answer has 16 KiB
;; from 0x4000, the request 256 KiB from 0x10000.
(memory (export "memory") 5)

(func (export "rule_v1_alloc") (param $length i32) (result i32)
  (select (i32.const 0x10000) (i32.const 0) (i32.le_u (local.get $length) (i32.const 0x40000))))

(func (export "rule_v1_route") (param $text i32) (param $length i32) (result i64)
  (local $view i64)
  (local.set $view (call $parse (local.get $text) (i32.add (local.get $text) (local.get $length))))
  (if (i64.eqz (local.get $view))
    (then (return (i64.const 0))))
  (call $decide (local.get $view)))

;; {"route":TARGET and the rest of the answer, which is at `rest`; abstains if that is longer than an answer may be.
(data (i32.const 1024) "{\"route\":")
(func $route (param $target i64) (param $rest i32) (param $count i32) (result i64)
  (local $length i32)
  (local.set $length (i32.sub (call $end (local.get $target)) (call $start (local.get $target))))
  (if (i32.gt_u (i32.add (i32.add (local.get $length) (i32.const 9)) (local.get $count)) (i32.const 0x4000))
    (then (return (i64.const 0))))
  (memory.copy (i32.const 0x4000) (i32.const 1024) (i32.const 9))
  (memory.copy (i32.const 0x4009) (call $start (local.get $target)) (local.get $length))
  (memory.copy (i32.add (i32.const 0x4009) (local.get $length)) (local.get $rest) (local.get $count))
  (i64.or (i64.const 0x400000000000)
    (i64.extend_i32_u (i32.add (i32.add (local.get $length) (i32.const 9)) (local.get $count)))))
