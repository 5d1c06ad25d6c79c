/** Reads page after page, to the last. */
export async function everyPage<Page extends { next_page_token: string }>(
  read: (token: string) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = [];
  let token = '';
  do {
    const page = await read(token);
    pages.push(page);
    token = page.next_page_token;
  } while (token);
  return pages;
}
