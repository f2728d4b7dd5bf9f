;; What a small rule in C compiles to: looks for the number after "token_count" in its request, byte by byte, and
;; names the long-context target if it is over 60 000.
(module
  (memory (export "memory") 2)
  (data (i32.const 16) "{\"route\":\"long,context\"}")
  (data (i32.const 64) "\"token_count\":")
  (global $heap (mut i32) (i32.const 1024))

  (func (export "rule_v1_alloc") (param $length i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (local.get $at) (local.get $length)))
    (local.get $at))

  (func $is_key (param $at i32) (result i32)
    (local $i i32)
    (loop $next
      (if (i32.eq (local.get $i) (i32.const 14)) (then (return (i32.const 1))))
      (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $i))) (i32.load8_u offset=64 (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))
    (i32.const 0))

  (func $number (param $at i32) (result i32)
    (local $value i32) (local $digit i32)
    (loop $next
      (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
      (if (i32.lt_u (local.get $digit) (i32.const 10)) (then
        (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (local.get $digit)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))
    (local.get $value))

  ;; From the end, so that the whole request is read before the number is found.
  (func (export "rule_v1_route") (param $start i32) (param $length i32) (result i64)
    (local $at i32)
    (local.set $at (i32.sub (i32.add (local.get $start) (local.get $length)) (i32.const 14)))
    (loop $next
      (if (call $is_key (local.get $at)) (then
        (return (select
          (i64.const 0x10_0000_0018) (i64.const 0)
          (i32.gt_u (call $number (i32.add (local.get $at) (i32.const 14))) (i32.const 60000))))))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $next (i32.ge_u (local.get $at) (local.get $start))))
    (i64.const 0)))
