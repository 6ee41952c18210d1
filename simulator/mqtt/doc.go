// Package mqtt writes and reads the few MQTT 3.1.1 packets that a publishing
// device needs: CONNECT, PUBLISH at QoS 0 and 1, PINGREQ and DISCONNECT out;
// CONNACK, PUBACK and PINGRESP in.
//
// In: values and a stream of bytes. Out: bytes and packets. Promises: no
// allocation per packet; the reader checks lengths before it reads and never
// panics. Limits: no subscriptions, no QoS 2, no MQTT 5; packets that the reader
// does not know are passed over.
//
// Source: OASIS, MQTT Version 3.1.1, 29 October 2014.
package mqtt
