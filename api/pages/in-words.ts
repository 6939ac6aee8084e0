/** Makes a name of the configuration readable for people. */

/** Returns `bitcoin-cash` as `Bitcoin Cash`. */
export function inWords(name: string): string {
  return name.replace(
    /(^|[-_])(\w)/g,
    (_, gap: string, letter: string) => (gap && ' ') + letter.toUpperCase(),
  )
}
