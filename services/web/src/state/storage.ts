/** One remembered string. Browsers may forbid storage; then it lasts as long as the page. */
export function kept(name: string): { readonly name: string; read(): string; write(value: string): void } {
  let memory = '';
  return {
    name,
    read() {
      try {
        return localStorage.getItem(name) ?? memory;
      } catch {
        return memory;
      }
    },
    write(value) {
      memory = value;
      try {
        if (value) localStorage.setItem(name, value);
        else localStorage.removeItem(name);
      } catch {
        // Kept in memory above.
      }
    },
  };
}
