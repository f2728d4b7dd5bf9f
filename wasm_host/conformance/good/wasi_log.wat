;; outcome: abstain
;; A reactor's output is its log.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "hello")
  (data (i32.const 8) "\20\00\00\00\05\00\00\00")
  (func $check (param $got i32) (param $expected i32)
    (if (i32.ne (local.get $got) (local.get $expected)) (then unreachable)))
  (func (export "rule_v1_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "rule_v1_route") (param $ptr i32) (param $len i32) (result i64)
    (call $check (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)) (i32.const 0))
    (call $check (i32.load (i32.const 0)) (i32.const 5))
    (i64.const 0)))
