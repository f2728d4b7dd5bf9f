;; load: export
;; Something that is no program.
(module
  (memory (export "memory") 1)
  (global (export "_start") i32 (i32.const 0)))
