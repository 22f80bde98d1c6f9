// What the client uses of Node: its whole types would be most of the download.
declare module "node:fs" {
  export function openAsBlob(path: string, options?: { type?: string }): Promise<Blob>;
}
declare const process: { env: Record<string, string | undefined> };
