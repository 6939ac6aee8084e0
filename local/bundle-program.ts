/** Bundles a program of this repository for the local stack, so that it starts without compiling each file. */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Packages are looked up from here, so it lies below `node_modules`. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'keyturn', 'programs')
/** Time for which an unused bundle is kept. A process that dies gets a bundle of the current code. */
const KEEP_MS = 86_400_000

/** Constant that stands for `import.meta.url` in each file that asks for it. */
const PLACE = 'keyturnPlaceOfFile'

/** Keeps the place of each file: our code finds migrations and the networks file beside itself. */
const ownPlaces: Plugin = {
  name: 'own-places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const code = await readFile(path, 'utf8')
      if (!code.includes('import.meta.url')) return null
      // On the same line, so that the lines of the source map stay right.
      return {
        contents: `const ${PLACE} = ${JSON.stringify(pathToFileURL(path).href)};${code}`,
        loader: 'ts',
      }
    })
  },
}

/** Bundles that are being made, by entry: two workers start from the same one. */
const underWay = new Map<string, Promise<string>>()

/**
 * Bundles our files that `entry`, a path from the repository's root, imports. Packages stay outside.
 *
 * @returns Path of the bundle, which is named by its content. Its source map is beside it.
 */
export async function bundleProgram(entry: string): Promise<string> {
  const known = underWay.get(entry)
  if (known) return known
  const bundling = bundle(entry).finally(() => underWay.delete(entry))
  underWay.set(entry, bundling)
  return bundling
}

async function bundle(entry: string): Promise<string> {
  const name = entry.replace(/\.ts$/, '').replaceAll('/', '-')
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, entry)],
    outfile: join(CACHE, `${name}.mjs`),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    plugins: [ownPlaces],
    define: { 'import.meta.url': PLACE },
    sourcemap: 'external',
    write: false,
    logLevel: 'warning',
  })
  const code = outputFiles.find(({ path }) => path.endsWith('.mjs'))?.text ?? ''
  const map = outputFiles.find(({ path }) => path.endsWith('.map'))?.text ?? ''
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const path = join(CACHE, `${name}-${hash}.mjs`)
  await mkdir(CACHE, { recursive: true })
  await put(`${path}.map`, map)
  await put(path, `${code}\n//# sourceMappingURL=${basename(path)}.map\n`)
  await removeOld()
  return path
}

/** Writes a file as a whole, so that another process that starts never reads a part of it. */
async function put(path: string, content: string): Promise<void> {
  const part = `${path}.${process.pid}`
  await writeFile(part, content)
  await rename(part, path)
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const path = join(CACHE, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (mtimeMs < Date.now() - KEEP_MS) await rm(path, { force: true })
  }
}
