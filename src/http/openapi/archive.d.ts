/** A file that the executable carries, by its path. */
declare module "*.gz" {
  const path: string;
  export default path;
}
