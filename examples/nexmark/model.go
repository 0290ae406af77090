package main

import (
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

// A Person sells and bids. Times are in milliseconds since the epoch.
type Person struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	City  string `json:"city"`
	State string `json:"state"`
	At    int64  `json:"at"`
}

// An Auction takes bids from its beginning until it expires.
type Auction struct {
	ID       int64  `json:"id"`
	Item     string `json:"item"`
	Seller   int64  `json:"seller"`
	Category int64  `json:"category"`
	Reserve  int64  `json:"reserve"`
	At       int64  `json:"at"`
	Expires  int64  `json:"expires"`
}

// A Bid is a price in cents that a person offers in an auction.
type Bid struct {
	Auction int64  `json:"auction"`
	Bidder  int64  `json:"bidder"`
	Price   int64  `json:"price"`
	Channel string `json:"channel"`
	At      int64  `json:"at"`
}

// The inputs: people by their id, auctions by theirs, bids by their auction's.
var (
	people   = topology.NewTopic("nexmark-people", serde.Int64, serde.JSON[Person]())
	auctions = topology.NewTopic("nexmark-auctions", serde.Int64, serde.JSON[Auction]())
	bids     = topology.NewTopic("nexmark-bids", serde.Int64, serde.JSON[Bid]())
)
