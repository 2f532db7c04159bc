// JSON that is read in one way only: whole numbers are told from others, and no key is there twice.
import { CamliteError, damaged } from "./errors.js";

// Whole numbers become BigInt; objects have no prototype.
export function parse(text, what) {
  let keys = 0;
  const marked = (token) => {
    keys += token === ":";
    return token[0] === '"' ? `"t${token.slice(1)}` : token === ":" || /[.eE]/.test(token) ? token : `"i${token}"`;
  };
  const unmarked = (_, value) => {
    if (typeof value === "string") return value[0] === "t" ? value.slice(1) : BigInt(value.slice(1));
    if (!value || typeof value !== "object" || Array.isArray(value)) return value;
    const entries = Object.entries(value);
    keys -= entries.length;
    return Object.assign(Object.create(null), Object.fromEntries(entries.map(([key, one]) => [key.slice(1), one])));
  };
  try {
    JSON.parse(text);
    const found = JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|:/g, marked), unmarked);
    if (!keys) return found;
  } catch { /* said below */ }
  throw damaged(`${what} is no JSON, or has a key twice`);
}

// Control characters, line separators, lone surrogates and what is not drawn (DI: Default_Ignorable_Code_Point):
// artifact.md has the list.
const HIDDEN = /[\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff9-\ufffb\p{DI}]/u;

export const refuse = (where, expected) => {
  throw new CamliteError(`${where}: expected ${expected}; export the artifact again`);
};
const test = (fits, expected) => (value, where) => (fits(value) ? value : refuse(where, expected));

// Each kind checks one value, and returns it.
export const text = test((value) => typeof value === "string" && !HIDDEN.test(value), "a text without hidden characters");
export const one = (...words) => test((value) => words.includes(value), `one of ${words.join(", ")}`);
const within = (type, least, most) =>
  test((value) => typeof value === type && Number.isFinite(Number(value)) && value >= least && value <= most,
    `a ${type === "number" ? "fraction" : "whole number"} from ${least} to ${most}`);
export const real = (least = -Infinity, most = Infinity) => within("number", least, most);
export const whole = (least, most = Number.MAX_SAFE_INTEGER) => {
  const checked = within("bigint", least, most);
  return (value, where) => Number(checked(value, where));
};
export const maybe = (kind) => (value, where) => (value === null ? null : kind(value, where));
const isList = test(Array.isArray, "a list");
export const list = (kind, least = 0) => (value, where) => {
  if (isList(value, where).length < least) refuse(where, "more");
  return value.map((item, index) => kind(item, `${where}[${index}]`));
};
const isObject = test((value) => value && Object.getPrototypeOf(value) === null, "an object");
export const texts = (value, where) => {
  Object.entries(isObject(value, where)).flat().forEach((one) => text(one, where));
  return value;
};

// Exactly these fields; those of `usual` may be missing.
export const object = (kinds, usual = {}) => (value, where) => {
  const names = Object.keys(kinds), all = { ...usual, ...isObject(value, where) };
  if (Object.keys(all).sort().join() !== names.sort().join()) refuse(where, `the fields ${names.join(", ")}`);
  return Object.fromEntries(names.map((name) => [name, kinds[name](all[name], `${where}.${name}`)]));
};
