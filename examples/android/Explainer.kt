// Explain an image on Android: a float32 `.tflite` artifact of `camlite export`, with LiteRT. Not built by camlite's
// tests: there is no Android SDK where they run. It follows runtime/spec/artifact.md; where the two differ, that is right.
//
// build.gradle.kts: implementation("com.google.ai.edge.litert:litert:1.4.0")
//
//     val explainer = Explainer(assets.open("flowers.float32.tflite").readBytes())
//     val answer = explainer.explain(bitmap)     // of any size; answer.evidence adds up to answer.logit

import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import java.util.zip.CRC32
import java.util.zip.Inflater
import org.json.JSONObject
import org.tensorflow.lite.Interpreter

class Answer(val label: String, val scores: FloatArray, val evidence: Array<FloatArray>, val logit: Float)

class Explainer(file: ByteArray) {
    private val artifact = Artifact(file)
    private val card = artifact.card
    private val pixels = card.getJSONObject("preprocessing")
    private val head = card.getJSONObject("head")
    private val labels = card.getJSONArray("labels").let { list -> List(list.length()) { list.getString(it) } }
    private val height = head.getInt("height")
    private val width = head.getInt("width")
    private val channels = head.getInt("channels")
    private val perPlace: Boolean
    private val weights: FloatArray
    private val bias: FloatArray
    private val interpreter: Interpreter

    init {
        require(card.getString("precision") == "float32" && head.getString("evidence") == "device") {
            "this example explains float32 artifacts whose evidence is made by the device"
        }
        weights = artifact.weights(channels, labels.size)
        perPlace = weights.size != channels * labels.size
        bias = artifact.floats("bias.npy")
        val direct = ByteBuffer.allocateDirect(artifact.modelSize).order(ByteOrder.nativeOrder())
        direct.put(file, 0, artifact.modelSize).rewind() // only the model: bytes 0 to S
        interpreter = Interpreter(direct)
    }

    fun explain(bitmap: Bitmap): Answer {
        val scores = Array(1) { FloatArray(labels.size) }
        val features = Array(1) { Array(height) { Array(width) { FloatArray(channels) } } }
        interpreter.runSignature(mapOf("image" to input(bitmap)), mapOf("scores" to scores, "features" to features))
        val top = labels.indices.maxByOrNull { scores[0][it] }!! // of equals, the first
        val evidence = Array(height) { y -> FloatArray(width) { x -> evidenceAt(features[0][y][x], y, x, top) } }
        return Answer(labels[top], scores[0], evidence, bias[top] + evidence.map { it.sum() }.sum())
    }

    private fun evidenceAt(feature: FloatArray, y: Int, x: Int, k: Int): Float {
        val start = if (perPlace) (y * width + x) * channels else 0
        var sum = 0f
        for (c in 0 until channels) sum += feature[c] * weights[(start + c) * labels.size + k]
        return sum
    }

    // "From pixels to the input": window, resize, grey, channel order, scale. Bitmaps are sRGB with 8 bits.
    private fun input(bitmap: Bitmap): ByteBuffer {
        val (rows, columns) = pixels.getInt("height") to pixels.getInt("width")
        var (top, left, windowRows, windowColumns) = listOf(0, 0, bitmap.height, bitmap.width)
        if (pixels.getString("fit") == "crop") {
            windowRows = Math.rint(bitmap.width.toDouble() * rows / columns).toInt().coerceIn(1, bitmap.height)
            windowColumns = Math.rint(bitmap.height.toDouble() * columns / rows).toInt().coerceIn(1, bitmap.width)
            top = (bitmap.height - windowRows) / 2
            left = (bitmap.width - windowColumns) / 2
        }
        val argb = IntArray(windowRows * windowColumns)
        bitmap.getPixels(argb, 0, windowColumns, left, top, windowColumns, windowRows)
        val depth = pixels.getInt("channels")
        val scale = pixels.getJSONArray("scale")
        val offset = pixels.getJSONArray("offset")
        val made = ByteBuffer.allocateDirect(4 * rows * columns * depth).order(ByteOrder.nativeOrder())
        for (i in 0 until rows) {
            val y = Place(i, windowRows, rows)
            for (j in 0 until columns) {
                val x = Place(j, windowColumns, columns)
                val rgb = FloatArray(3) { channel ->
                    val shift = 16 - 8 * channel
                    fun at(row: Int, column: Int) = ((argb[row * windowColumns + column] shr shift) and 255).toFloat()
                    // Rows first, then columns.
                    val before = at(y.before, x.before) * (1 - y.share) + at(y.after, x.before) * y.share
                    val after = at(y.before, x.after) * (1 - y.share) + at(y.after, x.after) * y.share
                    before * (1 - x.share) + after * x.share
                }
                if (depth == 1) rgb[0] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]
                if (depth == 3 && pixels.getString("order") == "bgr") rgb.reverse()
                for (c in 0 until depth) {
                    made.putFloat(rgb[c] * scale.getDouble(c).toFloat() + offset.getDouble(c).toFloat())
                }
            }
        }
        made.rewind()
        return made
    }

    private class Place(index: Int, size: Int, target: Int) {
        private val centre = ((index + 0.5) * (size.toDouble() / target) - 0.5).coerceIn(0.0, size - 1.0)
        val before = Math.floor(centre).toInt()
        val after = minOf(before + 1, size - 1)
        val share = (centre - before).toFloat()
    }
}

// The file: model, zip, seal and perhaps a signature. A reader that takes files of strangers bounds sizes, too ("Limits").
private class Artifact(private val file: ByteArray) {
    private class Entry(val method: Int, val crc: Long, val packed: Int, val size: Int, val start: Int)

    private val numbers = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN)
    private val entries = HashMap<String, Entry>()
    val modelSize: Int
    val card: JSONObject

    init {
        require(file.size > 350 && text(4, 4) == "TFL3") { "no .tflite artifact" }
        val signed = text(file.size - SIGNATURE, SIGNATURE).startsWith("camlite signature ed25519:")
        val sealEnd = file.size - if (signed) SIGNATURE else 0
        val zipEnd = sealEnd - SEAL
        require(text(zipEnd, 20) == "camlite seal sha256:") { "no artifact, or cut off" }
        val end = zipEnd - 22
        require(numbers.getInt(end) == 0x06054b50 && short(end + 20) == file.size - zipEnd) { "damaged: the zip's end" }
        var at = numbers.getInt(end + 16)
        require(at >= 0 && at + numbers.getInt(end + 12) == end) { "damaged: the zip's directory" }
        repeat(short(end + 10)) {
            require(at + 46 <= end && numbers.getInt(at) == 0x02014b50) { "damaged: the zip's directory" }
            val name = text(at + 46, short(at + 28))
            val crc = numbers.getInt(at + 16).toLong() and 0xffffffffL
            val (packed, size, start) = listOf(20, 24, 42).map { numbers.getInt(at + it) }
            require(entries.put(name, Entry(short(at + 10), crc, packed, size, start)) == null) { "damaged: $name twice" }
            at += 46 + short(at + 28) + short(at + 30) + short(at + 32)
        }
        modelSize = entries.values.minOf { it.start }
        require(sha256(modelSize, zipEnd) == text(zipEnd + 20, 64)) { "damaged: the seal does not fit" }
        card = JSONObject(String(entry("card.json"), Charsets.UTF_8))
        require(card.getInt("format") == 2) { "another format version" }
        require(sha256(0, modelSize) == card.getString("model_sha256")) { "damaged: not the model of its card" }
    }

    fun floats(name: String): FloatArray { // .npy, version 1.0
        val npy = ByteBuffer.wrap(entry(name)).order(ByteOrder.LITTLE_ENDIAN)
        npy.position(10 + npy.getShort(8))
        return FloatArray(npy.remaining() / 4) { npy.getFloat() }
    }

    fun weights(channels: Int, classes: Int): FloatArray { // (C, K), or (h, w, C, K)
        if ("weights.npy" in entries) return floats("weights.npy")
        val place = JSONObject(String(entry("weights_place.json"), Charsets.UTF_8))
        require(place.getString("dtype") == "float32" && !place.has("scales_offset")) { "weights that are not float32" }
        val (offset, scale) = place.getInt("offset") to place.getDouble("scale").toFloat()
        require(offset >= 0 && offset + 4L * channels * classes <= modelSize) { "weights outside of the model" }
        return FloatArray(channels * classes) {
            val (c, k) = it / classes to it % classes
            numbers.getFloat(offset + 4 * if (place.getBoolean("classes_first")) k * channels + c else it) * scale
        }
    }

    private fun entry(name: String): ByteArray {
        val found = requireNotNull(entries[name]) { "damaged: no $name" }
        val start = found.start + 30 + short(found.start + 26) + short(found.start + 28)
        val content = ByteArray(found.size)
        when (found.method) {
            0 -> System.arraycopy(file, start, content, 0, found.size)
            8 -> Inflater(true).apply { setInput(file, start, found.packed) }.inflate(content)
            else -> error("damaged: $name is packed in another way")
        }
        require(CRC32().apply { update(content) }.value == found.crc) { "damaged: $name" }
        return content
    }

    private fun short(at: Int) = numbers.getShort(at).toInt() and 0xffff

    private fun text(at: Int, length: Int) = String(file, at, length, Charsets.US_ASCII)

    private fun sha256(start: Int, end: Int): String {
        val digest = MessageDigest.getInstance("SHA-256").apply { update(file, start, end - start) }.digest()
        return digest.joinToString("") { "%02x".format(it) }
    }

    private companion object {
        const val SEAL = 84
        const val SIGNATURE = 219
    }
}
