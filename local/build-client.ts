/** Builds the package `@keyturn/client` into `client/dist`; npm runs it before it packs the package. */

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { plainTypes } from './plain-types.js'

const CLIENT = fileURLToPath(new URL('../client', import.meta.url))
const WIRE = fileURLToPath(new URL('../wire', import.meta.url))
const DIST = `${CLIENT}/dist`

const OPTIONS = {
  absWorkingDir: CLIENT,
  outdir: DIST,
  bundle: true,
  // Packages of others stay imports, so that npm shows and updates them.
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
} as const

/**
 * Bundles the library and its command with the files of this repository that they use. Code that two entries
 * of the library share becomes a file of its own, so that each class exists once.
 */
async function bundle(): Promise<void> {
  await build({
    ...OPTIONS,
    entryPoints: ['index.ts', 'verify-webhook.ts'],
    splitting: true,
    chunkNames: 'shared-[hash]',
  })
  await build({
    ...OPTIONS,
    entryPoints: ['verify-audit-log-command.ts'],
    banner: { js: '#!/usr/bin/env node' },
  })
}

/**
 * Writes the types with the compiler. The folders below `types` are those of the repository, and the types of
 * `wire` are written out, so that a merchant needs no zod.
 */
function declareTypes(): void {
  const typescript = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [typescript, '--project', 'tsconfig.build.json'], {
    cwd: CLIENT,
    stdio: 'inherit',
  })
  const wire = readdirSync(`${DIST}/types/wire`).map((name) => name.replace('.d.ts', '.ts'))
  const types = plainTypes(wire.map((name) => `${WIRE}/${name}`))
  for (const name of wire) {
    writeFileSync(`${DIST}/types/wire/${name.replace('.ts', '.d.ts')}`, types.get(`${WIRE}/${name}`) ?? '')
  }
}

/** Removes the declarations that no entry's declarations name: the compiler writes one for each file that it reads. */
function removeUnused(): void {
  const types = `${DIST}/types`
  const used = new Set<string>()
  const follow = (file: string): void => {
    if (used.has(file)) return
    used.add(file)
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\()['"](\.[^'"]+)\.js['"]/g,
    )) {
      follow(resolve(dirname(file), `${path}.d.ts`))
    }
  }
  for (const entry of ['index', 'verify-webhook']) follow(`${types}/client/${entry}.d.ts`)
  for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    const file = `${types}/${name}`
    if (name.endsWith('.d.ts') && !used.has(file)) rmSync(file)
  }
}

rmSync(DIST, { recursive: true, force: true })
await bundle()
declareTypes()
removeUnused()
