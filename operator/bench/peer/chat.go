package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// chat speaks chat.RoomAdminService, of which it needs three messages: written by hand, so that nothing is generated.
type chat struct {
	connection *grpc.ClientConn
	token      string
	namespace  string
	events     chan<- event.TypedGenericEvent[*ChatRoom]
	mutex      sync.Mutex
	digests    map[string]string
}

// raw passes bytes on as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (raw) Name() string                       { return "proto" }

func dial(address, token, namespace string, events chan<- event.TypedGenericEvent[*ChatRoom]) (*chat, error) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	return &chat{connection: connection, token: token, namespace: namespace, events: events, digests: map[string]string{}}, err
}

func (c *chat) seen(roomID string) (string, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	digest, known := c.digests[roomID]
	return digest, known
}

func (c *chat) context(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
}

// apply makes the room as the resource says and returns its digest.
func (c *chat) apply(ctx context.Context, room *ChatRoom) (string, error) {
	var spec, owner, request, answer []byte
	spec = text(spec, 1, room.Spec.DisplayName)
	spec = text(spec, 2, room.Spec.Topic)
	spec = number(spec, 6, room.Spec.MaxMembers)
	spec = number(spec, 7, 1000)
	spec = number(spec, 9, 50)
	owner = text(owner, 1, room.Namespace)
	owner = text(owner, 2, room.Name)
	owner = text(owner, 3, string(room.UID))
	owner = number(owner, 4, room.Generation)
	request = text(request, 1, room.roomID())
	request = text(request, 2, string(spec))
	request = text(request, 3, string(owner))
	request = number(request, 4, 1)
	if err := c.connection.Invoke(c.context(ctx), "/chat.RoomAdminService/ApplyRoom", &request, &answer); err != nil {
		return "", err
	}
	id, digest := fields(answer)
	c.mutex.Lock()
	c.digests[id] = digest
	c.mutex.Unlock()
	return digest, nil
}

// Start follows WatchRooms while this process leads.
func (c *chat) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.follow(ctx); err != nil && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
	}
	return nil
}

func (c *chat) follow(ctx context.Context) error {
	stream, err := c.connection.NewStream(c.context(ctx), &grpc.StreamDesc{ServerStreams: true}, "/chat.RoomAdminService/WatchRooms")
	if err != nil {
		return err
	}
	var request []byte
	if err := stream.SendMsg(&request); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		each(message, func(field protowire.Number, value []byte) {
			if field == 1 {
				c.take(fields(value))
			}
		})
	}
}

func (c *chat) take(id, digest string) {
	c.mutex.Lock()
	changed := c.digests[id] != digest
	c.digests[id] = digest
	c.mutex.Unlock()
	if changed {
		room := &ChatRoom{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: id}}
		c.events <- event.TypedGenericEvent[*ChatRoom]{Object: room}
	}
}

// fields reads a Room's id and digest.
func fields(room []byte) (id, digest string) {
	each(room, func(field protowire.Number, value []byte) {
		switch field {
		case 1:
			id = string(value)
		case 4:
			digest = string(value)
		}
	})
	return id, digest
}

func each(message []byte, on func(protowire.Number, []byte)) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			panic(fmt.Sprintf("not a message: %v", protowire.ParseError(n)))
		}
		message = message[n:]
		if kind == protowire.BytesType {
			value, m := protowire.ConsumeBytes(message)
			on(field, value)
			message = message[m:]
		} else {
			message = message[protowire.ConsumeFieldValue(field, kind, message):]
		}
	}
}

func text(message []byte, field protowire.Number, value string) []byte {
	if value == "" {
		return message
	}
	return protowire.AppendString(protowire.AppendTag(message, field, protowire.BytesType), value)
}

func number(message []byte, field protowire.Number, value int64) []byte {
	if value == 0 {
		return message
	}
	return protowire.AppendVarint(protowire.AppendTag(message, field, protowire.VarintType), uint64(value))
}
