import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.WallclockTimestampExtractor;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The queries of examples/nexmark, on the same topics and with the same answers. */
final class Nexmark {
    record Person(long id, String name, String city, String state, long at) {}

    record Auction(long id, String item, long seller, long category, long reserve, long at, long expires) {}

    record Bid(long auction, long bidder, long price, String channel, long at) {}

    record LocalItem(String name, String city, String state) {}

    record Offer(long category, long price, boolean in_time) {}

    record Mean(long sum, long n) {}

    record Popular(List<Long> auctions, long bids) {}

    private static final Duration PERIOD = Duration.ofSeconds(10);
    private static final Duration KEPT = Duration.ofMinutes(1);

    private static final Serde<Long> LONG = Serdes.Long();
    private static final Serde<String> STRING = Serdes.String();
    private static final Serde<Person> PERSON = json(Person.class);
    private static final Serde<Auction> AUCTION = json(Auction.class);
    private static final Serde<Bid> BID = json(Bid.class);
    private static final Serde<Offer> OFFER = json(Offer.class);
    private static final Serde<Mean> MEAN = json(Mean.class);
    private static final Serde<Popular> POPULAR = json(Popular.class);

    private final StreamsBuilder builder;

    private Nexmark(StreamsBuilder builder) {
        this.builder = builder;
    }

    static void build(StreamsBuilder builder, String query) {
        Nexmark n = new Nexmark(builder);
        switch (query) {
            case "q0" -> n.bids().to("nexmark-q0", Produced.with(LONG, BID));
            case "q1" -> n.bids().mapValues(b -> new Bid(b.auction, b.bidder, b.price * 908 / 1000, b.channel, b.at))
                .to("nexmark-q1", Produced.with(LONG, BID));
            case "q2" -> n.bids().filter((auction, b) -> auction % 123 == 0).mapValues(Bid::price).to("nexmark-q2", Produced.with(LONG, LONG));
            case "q3" -> n.localItems();
            case "q4" -> n.categoryPrices();
            case "q5" -> n.hotItems();
            case "q7" -> n.highestBids();
            case "q8" -> n.newSellers();
            case "q11" -> n.userSessions();
            case "q12" -> n.bidsByTheClock();
            case "q18" -> n.lastBids();
            default -> throw new IllegalArgumentException(query);
        }
    }

    private KStream<Long, Bid> bids() {
        return builder.stream("nexmark-bids", Consumed.with(LONG, BID));
    }

    private KTable<Long, Auction> auctions() {
        return builder.table("nexmark-auctions", Consumed.with(LONG, AUCTION), table("auctions", LONG, AUCTION));
    }

    private void localItems() {
        KTable<Long, Person> sellers = builder.table("nexmark-people", Consumed.with(LONG, PERSON), table("people", LONG, PERSON))
            .filter((id, p) -> Set.of("OR", "ID", "CA").contains(p.state));
        auctions().filter((id, a) -> a.category == 10)
            .join(sellers, Auction::seller, (a, p) -> new LocalItem(p.name, p.city, p.state))
            .toStream().to("nexmark-q3", Produced.with(LONG, json(LocalItem.class)));
    }

    private void categoryPrices() {
        bids().join(auctions(), (b, a) -> new Offer(a.category, b.price, b.at >= a.at && b.at <= a.expires), Joined.with(LONG, BID, AUCTION))
            .filter((auction, o) -> o.in_time)
            .groupByKey(Grouped.with(LONG, OFFER))
            .reduce((best, o) -> o.price > best.price ? o : best, table("winning", LONG, OFFER))
            .groupBy((auction, o) -> KeyValue.pair(o.category, o.price), Grouped.with("by-category", LONG, LONG))
            .aggregate(() -> new Mean(0, 0), (category, price, m) -> new Mean(m.sum + price, m.n + 1),
                (category, price, m) -> new Mean(m.sum - price, m.n - 1), table("averages", LONG, MEAN))
            .mapValues(m -> m.sum / Math.max(m.n, 1))
            .toStream().to("nexmark-q4", Produced.with(LONG, LONG));
    }

    private void hotItems() {
        bids().groupByKey(Grouped.with(LONG, BID))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(PERIOD).advanceBy(Duration.ofSeconds(2)))
            .emitStrategy(EmitStrategy.onWindowClose())
            .count(Materialized.<Long, Long, WindowStore<Bytes, byte[]>>as("bids").withKeySerde(LONG).withValueSerde(LONG).withRetention(KEPT))
            .toStream()
            .map((w, n) -> KeyValue.pair(w.window().end(), new Popular(List.of(w.key()), n)))
            .repartition(Repartitioned.<Long, Popular>as("by-period").withKeySerde(LONG).withValueSerde(POPULAR))
            .groupByKey(Grouped.with(LONG, POPULAR))
            .reduce(Nexmark::hotter, table("hottest", LONG, POPULAR))
            .toStream().to("nexmark-q5", Produced.with(LONG, POPULAR));
    }

    private static Popular hotter(Popular best, Popular p) {
        if (p.bids != best.bids) {
            return p.bids > best.bids ? p : best;
        }
        TreeSet<Long> both = new TreeSet<>(best.auctions);
        both.addAll(p.auctions);
        return new Popular(List.copyOf(both), best.bids);
    }

    private void highestBids() {
        bids().groupByKey(Grouped.with(LONG, BID))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(PERIOD))
            .emitStrategy(EmitStrategy.onWindowClose())
            .reduce(Nexmark::higher,
                Materialized.<Long, Bid, WindowStore<Bytes, byte[]>>as("highest-of-auction").withKeySerde(LONG).withValueSerde(BID).withRetention(KEPT))
            .toStream()
            .map((w, best) -> KeyValue.pair(w.window().end(), best))
            .repartition(Repartitioned.<Long, Bid>as("of-period").withKeySerde(LONG).withValueSerde(BID))
            .groupByKey(Grouped.with(LONG, BID))
            .reduce(Nexmark::higher, table("highest", LONG, BID))
            .toStream().to("nexmark-q7", Produced.with(LONG, BID));
    }

    private static Bid higher(Bid best, Bid bid) {
        return bid.price > best.price || bid.price == best.price && bid.at < best.at ? bid : best;
    }

    private void newSellers() {
        KStream<Long, Auction> opened = builder.stream("nexmark-auctions", Consumed.with(LONG, AUCTION))
            .selectKey((id, a) -> a.seller)
            .repartition(Repartitioned.<Long, Auction>as("by-seller").withKeySerde(LONG).withValueSerde(AUCTION));
        builder.stream("nexmark-people", Consumed.with(LONG, PERSON))
            .join(opened, (p, a) -> p.at / PERIOD.toMillis() == a.at / PERIOD.toMillis() ? p.name : "",
                JoinWindows.ofTimeDifferenceWithNoGrace(PERIOD), StreamJoined.with(LONG, PERSON, AUCTION).withStoreName("met"))
            .filter((id, name) -> !name.isEmpty())
            .groupByKey(Grouped.with(LONG, STRING))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(PERIOD))
            .emitStrategy(EmitStrategy.onWindowClose())
            .reduce((name, same) -> name,
                Materialized.<Long, String, WindowStore<Bytes, byte[]>>as("new-sellers").withKeySerde(LONG).withValueSerde(STRING).withRetention(KEPT))
            .toStream().to("nexmark-q8", Produced.with(WindowedSerdes.timeWindowedSerdeFrom(Long.class, PERIOD.toMillis()), STRING));
    }

    private static KStream<Long, Bid> byBidder(KStream<Long, Bid> bids) {
        return bids.selectKey((auction, b) -> b.bidder)
            .repartition(Repartitioned.<Long, Bid>as("by-bidder").withKeySerde(LONG).withValueSerde(BID));
    }

    private void userSessions() {
        byBidder(bids()).groupByKey(Grouped.with(LONG, BID))
            .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(PERIOD))
            .count(Materialized.<Long, Long, SessionStore<Bytes, byte[]>>as("bids").withKeySerde(LONG).withValueSerde(LONG))
            .toStream().to("nexmark-q11", Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(Long.class), LONG));
    }

    private void bidsByTheClock() {
        byBidder(builder.stream("nexmark-bids", Consumed.with(LONG, BID).withTimestampExtractor(new WallclockTimestampExtractor())))
            .groupByKey(Grouped.with(LONG, BID))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(PERIOD))
            .count(Materialized.<Long, Long, WindowStore<Bytes, byte[]>>as("bids").withKeySerde(LONG).withValueSerde(LONG))
            .toStream().to("nexmark-q12", Produced.with(WindowedSerdes.timeWindowedSerdeFrom(Long.class, PERIOD.toMillis()), LONG));
    }

    @SuppressWarnings("unchecked") // what ListSerde makes of a class of lists
    private void lastBids() {
        Serde<List<Long>> pair = Serdes.ListSerde(ArrayList.class, LONG);
        bids().selectKey((auction, b) -> List.of(b.bidder, auction))
            .repartition(Repartitioned.<List<Long>, Bid>as("by-bidder-and-auction").withKeySerde(pair).withValueSerde(BID))
            .groupByKey(Grouped.with(pair, BID))
            .reduce((last, b) -> b.at >= last.at ? b : last, table("last", pair, BID))
            .toStream().to("nexmark-q18", Produced.with(pair, BID));
    }

    private static <K, V> Materialized<K, V, KeyValueStore<Bytes, byte[]>> table(String name, Serde<K> key, Serde<V> value) {
        return Materialized.<K, V, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(key).withValueSerde(value);
    }

    private static <T> Serde<T> json(Class<T> type) {
        ObjectMapper mapper = new ObjectMapper();
        var reader = mapper.readerFor(type);
        var writer = mapper.writerFor(type);
        return Serdes.serdeFrom(
            (topic, value) -> {
                try {
                    return value == null ? null : writer.writeValueAsBytes(value);
                } catch (Exception e) {
                    throw new IllegalArgumentException(e);
                }
            },
            (topic, bytes) -> {
                try {
                    return bytes == null ? null : reader.readValue(bytes);
                } catch (Exception e) {
                    throw new IllegalArgumentException(e);
                }
            });
    }
}
