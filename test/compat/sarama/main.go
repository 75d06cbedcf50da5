// What sarama sees of a broker. Usage: sarama acknowledged BROKERS ROUNDS; prints what it found as JSON.
//
// The version in go.mod is the newest one that the Go of Debian 12 (1.19) compiles.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

func main() {
	if len(os.Args) != 4 || os.Args[1] != "acknowledged" {
		fail(fmt.Errorf("usage: sarama acknowledged BROKERS ROUNDS"))
	}
	rounds, err := strconv.Atoi(os.Args[3])
	fail(err)
	found, err := acknowledged(strings.Split(os.Args[2], ","), "sarama-acknowledged", rounds)
	fail(err)
	fail(json.NewEncoder(os.Stdout).Encode(found))
}

// How often a second connection reads the record that was just acknowledged with acks 1, sarama's default, as the last one.
func acknowledged(brokers []string, topic string, rounds int) (map[string]int, error) {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.RequiredAcks = sarama.WaitForLocal
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(brokers, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	reader, err := sarama.NewClient(brokers, config)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	found := map[string]int{"rounds": rounds, "read": 0, "stale": 0}
	for round := 0; round < rounds; round++ {
		value := fmt.Sprintf("round %d", round)
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
		if err != nil {
			return nil, err
		}
		latest, err := reader.GetOffset(topic, 0, sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		last, err := readLast(reader, topic, latest)
		if err != nil {
			return nil, err
		}
		if latest == offset+1 && last == value {
			found["read"]++
		} else {
			found["stale"]++
		}
	}
	return found, nil
}

// The value of the record before the offset latest; empty when there is none.
func readLast(reader sarama.Client, topic string, latest int64) (string, error) {
	if latest == 0 {
		return "", nil
	}
	leader, err := reader.Leader(topic, 0)
	if err != nil {
		return "", err
	}
	request := &sarama.FetchRequest{Version: 11, MinBytes: 1, MaxBytes: 1 << 20, Isolation: sarama.ReadUncommitted}
	request.AddBlock(topic, 0, latest-1, 1<<20, -1)
	response, err := leader.Fetch(request)
	if err != nil {
		return "", err
	}
	block := response.GetBlock(topic, 0)
	if block == nil || block.Err != sarama.ErrNoError {
		return "", fmt.Errorf("the fetch at %d failed: %v", latest-1, block)
	}
	last := ""
	for _, set := range block.RecordsSet {
		for _, record := range set.RecordBatch.Records {
			last = string(record.Value)
		}
	}
	return last, nil
}

func fail(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
