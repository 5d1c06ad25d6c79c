export function OrdersPage() {
  return <main class="orders" />;
}
