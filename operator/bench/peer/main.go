// An operator for ChatRooms on controller-runtime, as a Go author would write it, to measure Parley's beside: finalizer,
// ApplyRoom, status, and drift by the digests of one WatchRooms stream.
package main

import (
	"context"
	"flag"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const finalizer = "parley.dev/room"

type reconciler struct {
	client.Client
	chat *chat
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var room ChatRoom
	if err := r.Get(ctx, request.NamespacedName, &room); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !room.DeletionTimestamp.IsZero() {
		before := room.DeepCopyObject().(*ChatRoom)
		controllerutil.RemoveFinalizer(&room, finalizer)
		return ctrl.Result{}, r.Patch(ctx, &room, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	}
	if !controllerutil.ContainsFinalizer(&room, finalizer) {
		before := room.DeepCopyObject().(*ChatRoom)
		controllerutil.AddFinalizer(&room, finalizer)
		if err := r.Patch(ctx, &room, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, err
		}
	}
	seen, known := r.chat.seen(room.roomID())
	current := room.Status.ObservedGeneration == room.Generation && known && seen == room.Status.Digest
	if !current {
		digest, err := r.chat.apply(ctx, &room)
		if err != nil {
			return ctrl.Result{}, err
		}
		room.Status.Digest = digest
	}
	before := room.DeepCopyObject().(*ChatRoom)
	before.Status.Digest = ""
	room.Status.RoomID = room.roomID()
	room.Status.ObservedGeneration = room.Generation
	changed := setCondition(&room.Status.Conditions, metav1.Condition{
		Type: "Ready", Status: metav1.ConditionTrue, Reason: "Applied", ObservedGeneration: room.Generation,
	})
	if current && !changed {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.Status().Patch(ctx, &room, client.MergeFrom(before))
}

func main() {
	address := flag.String("chat", "", "address of the chat service")
	token := flag.String("token", "", "service token")
	namespace := flag.String("namespace", "default", "namespace to watch")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.Level(zapError)))

	config := must(kubeConfig())
	config.QPS = -1 // No limit on the client's side, as in Parley's.
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(groupVersion, &ChatRoom{}, &ChatRoomList{})
	metav1.AddToGroupVersion(scheme, groupVersion)

	manager := must(ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   cache.Options{DefaultNamespaces: map[string]cache.Config{*namespace: {}}},
		Metrics:                 server.Options{BindAddress: "0"},
		LeaderElection:          true,
		LeaderElectionID:        "parley-peer",
		LeaderElectionNamespace: *namespace,
	}))
	events := make(chan event.TypedGenericEvent[*ChatRoom], 1024)
	chat := must(dial(*address, *token, *namespace, events))
	check(manager.Add(chat))
	check(ctrl.NewControllerManagedBy(manager).
		For(&ChatRoom{}).
		WatchesRawSource(source.Channel(events, &handler.TypedEnqueueRequestForObject[*ChatRoom]{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(&reconciler{Client: manager.GetClient(), chat: chat}))
	check(manager.Start(ctrl.SetupSignalHandler()))
}

func kubeConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
