import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.WriteBufferManager;

/** Bounds what all stores take outside the heap, as Kafka Streams' documentation shows, to -Drocks.bytes. */
public final class BoundedRocks implements RocksDBConfigSetter {
    static {
        RocksDB.loadLibrary();
    }

    private static final long BYTES = Long.getLong("rocks.bytes");
    private static final Cache CACHE = new LRUCache(BYTES, -1, false, 0.1);
    private static final WriteBufferManager BUFFERS = new WriteBufferManager(BYTES / 2, CACHE);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig tables = (BlockBasedTableConfig) options.tableFormatConfig();
        tables.setBlockCache(CACHE);
        tables.setCacheIndexAndFilterBlocks(true);
        tables.setCacheIndexAndFilterBlocksWithHighPriority(true);
        tables.setPinTopLevelIndexAndFilter(true);
        options.setWriteBufferManager(BUFFERS);
        options.setTableFormatConfig(tables);
    }

    @Override
    public void close(String store, Options options) {} // the cache is all stores'
}
