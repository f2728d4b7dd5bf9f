module rule

go 1.24
