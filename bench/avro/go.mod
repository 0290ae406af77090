module github.com/leatstream/leat/bench/avro

go 1.27.4

require (
	github.com/hamba/avro/v2 v2.31.0
	github.com/leatstream/leat v0.0.0-00010101000000-000000000000
	github.com/linkedin/goavro/v2 v2.15.0
	github.com/twmb/avro v1.9.0
)

require (
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/golang/snappy v1.0.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
)

replace github.com/leatstream/leat => ../..
