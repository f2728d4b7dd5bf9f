;; scan.wat as an Extism plugin: the same scan, with the request read from and the answer written to Extism's memory.
(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 2)
  (data (i32.const 16) "{\"route\":\"long,context\"}")
  (data (i32.const 64) "\"token_count\":")

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

  (func (export "route") (result i32)
    (local $at i32) (local $length i32) (local $i i32) (local $answer i64)
    (local.set $length (i32.wrap_i64 (call $length)))
    (block $copied
      (loop $next
        (br_if $copied (i32.ge_u (local.get $i) (local.get $length)))
        (i64.store offset=1024 (local.get $i) (call $load (i64.extend_i32_u (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br $next)))
    (local.set $at (i32.add (local.get $length) (i32.const 1010)))
    (loop $next
      (if (call $is_key (local.get $at)) (then
        (if (i32.gt_u (call $number (i32.add (local.get $at) (i32.const 14))) (i32.const 60000)) (then
          (local.set $answer (call $alloc (i64.const 24)))
          (call $store (local.get $answer) (i64.load (i32.const 16)))
          (call $store (i64.add (local.get $answer) (i64.const 8)) (i64.load (i32.const 24)))
          (call $store (i64.add (local.get $answer) (i64.const 16)) (i64.load (i32.const 32)))
          (call $output (local.get $answer) (i64.const 24))))
        (return (i32.const 0))))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $next (i32.ge_u (local.get $at) (i32.const 1024))))
    (i32.const 0)))
