#!/bin/bash
# Kafka's command line tools: /opt/kafka/bin/NAME.sh is a link to this script, which runs the class that NAME stands for.
set -eu
tools=org.apache.kafka.tools
case $(basename "$0" .sh) in
  kafka-run-class) class=$1; shift ;;
  kafka-server-start) class=kafka.Kafka ;;
  kafka-storage) class=kafka.tools.StorageTool ;;
  kafka-configs) class=kafka.admin.ConfigCommand ;;
  kafka-broker-api-versions) class=$tools.BrokerApiVersionsCommand ;;
  kafka-console-consumer) class=$tools.consumer.ConsoleConsumer ;;
  kafka-console-producer) class=$tools.ConsoleProducer ;;
  kafka-consumer-groups) class=$tools.consumer.group.ConsumerGroupCommand ;;
  kafka-delete-records) class=$tools.DeleteRecordsCommand ;;
  kafka-dump-log) class=$tools.DumpLogSegments ;;
  kafka-get-offsets) class=$tools.GetOffsetShell ;;
  kafka-metadata-quorum) class=$tools.MetadataQuorumCommand ;;
  kafka-topics) class=$tools.TopicCommand ;;
  kafka-transactions) class=$tools.TransactionsCommand ;;
  *) echo "unknown tool: $0" >&2; exit 2 ;;
esac
home=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
# shellcheck disable=SC2086 # the options are words
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:-} ${KAFKA_OPTS:-} \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile="$home/config/tools-log4j2.yaml"} -cp "$home/libs/*" "$class" "$@"
