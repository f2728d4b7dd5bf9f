;; load: export
;; A program that hides its memory.
(module
  (memory 1)
  (func (export "_start")))
