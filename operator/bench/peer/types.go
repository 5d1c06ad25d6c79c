package main

import (
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const zapError = zapcore.ErrorLevel

var groupVersion = schema.GroupVersion{Group: "parley.dev", Version: "v1alpha1"}

// ChatRoom holds what the measured rooms use.
type ChatRoom struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec"`
	Status            Status `json:"status,omitempty"`
}

type Spec struct {
	RoomID      string `json:"roomId,omitempty"`
	DisplayName string `json:"displayName"`
	Topic       string `json:"topic,omitempty"`
	MaxMembers  int64  `json:"maxMembers,omitempty"`
}

type Status struct {
	RoomID             string             `json:"roomId,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Digest             string             `json:"digest,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type ChatRoomList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChatRoom `json:"items"`
}

func (r *ChatRoom) roomID() string {
	if r.Spec.RoomID != "" {
		return r.Spec.RoomID
	}
	return r.Name
}

func (r *ChatRoom) DeepCopyObject() runtime.Object {
	out := *r
	r.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = append([]metav1.Condition(nil), r.Status.Conditions...)
	return &out
}

func (l *ChatRoomList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = make([]ChatRoom, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*ChatRoom)
	}
	return &out
}

func setCondition(conditions *[]metav1.Condition, condition metav1.Condition) bool {
	return meta.SetStatusCondition(conditions, condition)
}
