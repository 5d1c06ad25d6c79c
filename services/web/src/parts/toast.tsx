import { useApp } from '../state/store.ts';

export function Toast() {
  const { toast } = useApp();
  return (
    <div class="toast-region" role="status">
      {toast && (
        <p class="toast" data-tone={toast.tone} data-testid="toast">
          {toast.text}
        </p>
      )}
    </div>
  );
}
